/** `node write-openapi.ts FILE`: writes the OpenAPI document of the gateway as it is built (`npm run generate`). */
import { writeFile } from 'node:fs/promises';
import type { Backends } from './backends.ts';
import { buildGateway } from './gateway.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { createShared } from './shared.ts';

const [, , file = ''] = process.argv;
const nobody = () => Promise.reject(new Error('nobody is let in here'));
const authenticator = { authenticate: nobody, check: nobody };
using shared = createShared(authenticator, DEFAULT_LIMITS);
const app = buildGateway({
  backends: {} as Backends,
  authenticator,
  shared,
  rateLimit: { take: () => undefined, headers: () => ({}) },
  serviceToken: undefined,
});
const answer = await app.inject({ url: '/api/v1/openapi.json' });
await writeFile(file, `${JSON.stringify(answer.json(), null, 2)}\n`);
await app.close();
