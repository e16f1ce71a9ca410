"""A session of the Model Context Protocol's own client with `handshark mcp`: a line of JSON for its tools, and one for each call.

    session.py HANDSHARK DIRECTORY
"""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


def either(thing, *names):
    """A field by the name that this version of the package gives it."""
    return next(getattr(thing, name) for name in names if hasattr(thing, name))


async def main(program, directory):
    server = StdioServerParameters(command=program, args=["mcp", directory, "--no-trust"])
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = []
        for tool in (await session.list_tools()).tools:
            hints = tool.annotations
            tools.append(
                {
                    "name": tool.name,
                    "described": len(tool.description),
                    "read_only": either(hints, "read_only_hint", "readOnlyHint"),
                    "open_world": either(hints, "open_world_hint", "openWorldHint"),
                }
            )
        print(json.dumps({"tools": tools}))
        for tool, arguments in [
            ("list", {}),
            ("diagnose", {"files": ["site=berlin/one.pcap"]}),
            ("diagnose", {"files": ["../one.pcap"]}),
            ("explain", {"about": "48"}),
        ]:
            answer = await session.call_tool(tool, arguments)
            text = "".join(part.text for part in answer.content)
            print(json.dumps({"tool": tool, "error": bool(either(answer, "is_error", "isError")), "text": text}))


asyncio.run(main(*sys.argv[1:]))
