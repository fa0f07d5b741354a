// Error responses of the server.

/** An error response; `message` says what is wrong, `hint` what to do. */
export class ApiError extends Error {
  constructor(message, hint = "", status = 0) {
    super(message);
    Object.assign(this, { hint, status });
  }
}

/** Read an error response; `server` names the server if the response does not say what is wrong. */
export async function readError(response, server) {
  const body = await response.json().catch(() => ({}));
  return new ApiError(body.error || `${server} returned an error (${response.status})`, body.hint || "", response.status);
}
