/** Header that carries `Bearer <service token>` between processes. */
export const AUTHORIZATION = 'authorization';
/** Header that carries the id by which one request can be followed through every log. */
export const REQUEST_ID = 'x-request-id';
/** Header that names on whose behalf a call is made, for records and audit. */
export const CALLER = 'x-tidemark-caller';
