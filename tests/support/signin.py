"""Session of a user, without a browser."""

import re

import httpx

from tests.support.stack import Stack


def sign_in(stack: Stack) -> httpx.Client:
    """Return a client that is signed in as the first administrator, with the form.

    Close it after use. Raises: httpx.HTTPStatusError.
    """
    person = stack.client_for(None)
    form = person.get("/signin/").raise_for_status().text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    given = {"username": stack.described["username"], "password": stack.described["password"]}
    origin = stack.described["frontend_url"]
    answer = person.post(
        "/signin/",
        data={**given, "csrfmiddlewaretoken": token[1] if token else "", "next": ""},
        headers={"Origin": origin},
    )
    if answer.status_code != 302:
        answer.raise_for_status()
        raise httpx.HTTPStatusError("not signed in", request=answer.request, response=answer)
    return person
