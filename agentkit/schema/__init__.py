"""A function's signature and docstring as JSON Schema, and a validator for the arguments that a model writes.

`read` makes one `Shape`, which serves both, so that the model is corrected by the rules it was shown. Common types are
described by hand, as pydantic would describe them but without importing it; everything else pydantic describes.

    signature    anything that can be called → its parameters, with their annotations resolved
    docstrings   a docstring of any of four styles → a description, and a line for each parameter
    lean         types → JSON Schema by pydantic, without needless words
    strict       a schema in the subset that DeepSeek's strict mode takes
    arguments    what is wrong with the arguments of a call, told so that a model can mend it
    repair       what models write in the place of one JSON object, as one
    fit          values of another type than the schema's, where they can mean one thing only
    taken        both of these together: arguments that passed the check
    booleans     `true` where an enumeration wants 1
    plain        common types described by hand
    described    parameters described by pydantic
    shape        all of these together: `Shape`
    given        the same face for a schema that was written by hand
"""

from __future__ import annotations

from agentkit.schema.arguments import ArgumentsInvalid, Problem, nearest
from agentkit.schema.given import Given
from agentkit.schema.shape import Shape, read
from agentkit.schema.signature import Source, find_hidden, tool_name
from agentkit.schema.strict import strict_form
from agentkit.schema.taken import Taken

__all__ = [
    "ArgumentsInvalid",
    "Given",
    "Problem",
    "Shape",
    "Source",
    "Taken",
    "find_hidden",
    "nearest",
    "read",
    "strict_form",
    "tool_name",
]
