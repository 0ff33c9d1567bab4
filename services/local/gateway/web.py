"""`/`: the built web client, or the placeholder page until there is one."""

from __future__ import annotations

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_YEAR = "public, max-age=31536000, immutable"


class WebClient(StaticFiles):
    """Files of a single-page application: an unknown page is index.html."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, index.html for an address inside the application, or 404."""
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            if error.status_code != 404 or "." in Path(path).name:
                raise
            response = await super().get_response("index.html", scope)
        # Vite puts the content's hash into the names below assets/.
        fresh = path.startswith("assets/")
        response.headers["cache-control"] = _YEAR if fresh else "no-cache"
        return response


def web_folder(root: Path) -> Path | None:
    """`web/dist` when it is built, otherwise `web/placeholder`, otherwise nothing."""
    for name in ("dist", "placeholder"):
        folder = root / "web" / name
        if (folder / "index.html").is_file():
            return folder
    return None


class ApiRoute(Route):
    """A path of the API that is a page of the client too: a browser that goes there gets the
    page."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """NONE for a browser's navigation, so that the client's mount is asked next."""
        if scope["type"] == "http" and scope["method"] == "GET":
            accepted = [value for name, value in scope["headers"] if name == b"accept"]
            if any(b"text/html" in value for value in accepted):
                return Match.NONE, {}
        return super().matches(scope)
