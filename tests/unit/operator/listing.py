"""The tiny Kubernetes API, with lists of instances, page by page."""

from typing import Any

from aiohttp import web

from tests.unit.operator.api_server import INSTANCES, ApiServer


class ListingApiServer(ApiServer):
    """Refuses whoever would be content with an old list."""

    page = 2
    """Instances on one; few, so that most lists have several."""

    def _carry_out(self, request: web.Request, payload: Any) -> web.Response:
        if request.method != "GET" or request.path != INSTANCES:
            return super()._carry_out(request, payload)
        assert "resourceVersion" not in request.query, "a list from the cache may be an old one"
        items = [o for path, o in self.objects.items() if path.startswith(INSTANCES + "/")]
        begin = int(request.query.get("continue", 0))
        end = begin + self.page
        more = {"continue": str(end)} if end < len(items) else {}
        return web.json_response({"metadata": more, "items": items[begin:end]})
