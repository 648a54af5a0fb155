"""The one exception type for what a user can mend."""


class UserError(Exception):
    """A mistake of the user's: one clear line that says what, where and what to do.

    Stage scripts print it as ``ERROR: ...`` and exit with status 2; any other exception is a bug and
    keeps its traceback.
    """
