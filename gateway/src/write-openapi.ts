/** `node write-openapi.ts FILE`: writes the OpenAPI document of the gateway as it is built (`npm run generate`). */
import { writeFile } from 'node:fs/promises';
import type { Backends } from './backends.ts';
import { createAdmission } from './edge/admission.ts';
import { DEFAULT_LIMITS } from './edge/limits.ts';
import { buildGateway } from './gateway.ts';

const [, , file = ''] = process.argv;
const nobody = () => Promise.reject(new Error('nobody is let in here'));
const authenticator = { authenticate: nobody, check: nobody };
using admission = createAdmission(authenticator, DEFAULT_LIMITS, { perSecond: 1, burst: 1 });
const app = buildGateway({
  backends: {} as Backends,
  admission,
  serviceToken: undefined,
});
const answer = await app.inject({ url: '/api/v1/openapi.json' });
await writeFile(file, `${JSON.stringify(answer.json(), null, 2)}\n`);
await app.close();
