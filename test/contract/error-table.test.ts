import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { ERRORS } from '@tidemark/errors/codes';
import { describe, expect, it } from 'vitest';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'errors.md'), 'utf8');
const documented = new Map(
  [...page.matchAll(/^\| `(\w+)` \| (\w+) \| (\d+) \| (\d+) \| (yes|no) \|/gm)].map(([, code = '', ...cells]) => [
    code,
    cells,
  ]),
);

/** What existing clients of the documented API rely on: condition → HTTP status and number. */
const CONTRACT = [
  ['invalid_argument', 400, 10001],
  ['cluster_not_found', 404, 10003],
  ['cluster_busy', 409, 20114],
  ['storage_not_found', 404, 20600],
  ['storage_unusable', 400, 20601],
  ['backup_in_use', 409, 20603],
  ['backup_not_found', 404, 20610],
  ['backup_over', 409, 20611],
  ['unauthenticated', 401, 70600],
  ['token_expired', 401, 70602],
  ['permission_denied', 403, 70650],
  ['too_many_requests', 429, 10000],
  ['unavailable', 503, 10000],
  ['internal', 500, 10000],
] as const;

describe('the table of errors', () => {
  it('and its page are the same set, both ways, row by row', () => {
    expect([...documented.keys()].sort()).toEqual(Object.keys(ERRORS).sort());
    for (const [code, { grpc, http, number, retryable }] of Object.entries(ERRORS))
      expect(documented.get(code), code).toEqual([grpc, String(http), String(number), retryable ? 'yes' : 'no']);
  });
  it.each(CONTRACT)('answers %s with %i and %i, as existing clients expect', (code, http, number) => {
    expect(ERRORS[code]).toMatchObject({ http, number });
  });
  it('names only statuses that gRPC has', () => {
    for (const [code, { grpc }] of Object.entries(ERRORS)) expect(status[grpc], code).toBeGreaterThan(0);
  });
});
