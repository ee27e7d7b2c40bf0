"""Types of JSON values whose fields users define: parameters, definitions, results.

JSON whose fields the project defines has a TypedDict beside the code that writes it.
"""

from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]
