import { Validator } from '@seriousme/openapi-schema-validator';
import { BackupState } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { escaped, validatorOf } from '../testing/check-answers.ts';
import { BACKUP, CLUSTER, sampleBackup } from '../testing/programmable-backends.ts';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly type?: string }[];
  readonly responses: Record<string, { readonly schema: object; readonly examples: Record<string, unknown> }>;
}
interface Swagger {
  readonly swagger: string;
  readonly paths: Record<string, Record<string, Operation>>;
}

let gateway: TestGateway;
let document: Swagger;
beforeAll(async () => {
  gateway = await startTestGateway();
  document = (await gateway.ask('GET', '/swagger.json', { token: null })).body;
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** The calls as a client makes them: method and path of the document, path of the request, body. */
const CALLS = [
  ['get', '/clusters/{clusterId}/strategy', `/clusters/${CLUSTER}/strategy`],
  ['put', '/clusters/{clusterId}/strategy', `/clusters/${CLUSTER}/strategy`, { strategy: { backupDate: 'Monday' } }],
  ['post', '/clusters/{clusterId}/strategy', `/clusters/${CLUSTER}/strategy`, { strategy: { backupDate: 'Monday' } }],
  ['post', '/backups', '/backups', { clusterId: CLUSTER }],
  ['post', '/backups/cancel', '/backups/cancel', { clusterId: CLUSTER, backupId: BACKUP }],
  ['get', '/backups', `/backups?clusterId=${CLUSTER}&page=0&pageSize=0`],
  ['delete', '/backups/{backupId}', `/backups/${BACKUP}`],
] as const;

it('has the six documented calls, and nothing else, in valid Swagger 2', async () => {
  expect(await new Validator().validate({ ...document })).toEqual({ valid: true });
  expect(document.swagger).toBe('2.0');
  const calls = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(calls.sort()).toEqual(CALLS.map(([method, path]) => `${method} ${path}`).sort());
});

it('has what the document of TiUniManager had wrong: the id to delete is a text, cancel is with the others, failures are told', () => {
  const remove = document.paths['/backups/{backupId}']?.delete;
  expect(remove?.parameters?.[0]).toMatchObject({ name: 'backupId', in: 'path', type: 'string', required: true });
  const tags = ['/backups', '/backups/cancel', '/backups/{backupId}'].flatMap((path) =>
    Object.values(document.paths[path] ?? {}).flatMap((one) => one.tags),
  );
  expect(new Set(tags)).toEqual(new Set(['Backups']));
  for (const methods of Object.values(document.paths))
    for (const { responses, operationId } of Object.values(methods))
      expect(Object.keys(responses), operationId).toEqual(expect.arrayContaining(['200', '400', '401', '404']));
  for (const path of ['/backups', '/backups/cancel'])
    expect(document.paths[path]?.post?.responses).toHaveProperty('409');
  expect(remove?.responses).toHaveProperty('409');
});

it.each(CALLS)('is kept by what is answered: %s %s', async (method, path, asked, body?: object) => {
  const backup = sampleBackup({ state: BackupState.CANCELING });
  gateway.answers.cancelBackup = async () => ({ backup });
  const fits = (status: string, answer: unknown) => {
    const pointer = ['paths', path, method, 'responses', status, 'schema'].map(escaped).join('/');
    const validate = validatorOf(document)(`/${pointer}`);
    expect(validate(answer), JSON.stringify(validate.errors)).toBe(true);
  };
  const good = await gateway.ask(method.toUpperCase(), asked, { body });
  expect(good.status, good.body.message).toBe(200);
  fits('200', { ...good.body, data: withoutNull(good.body.data) });
  fits('401', (await gateway.ask(method.toUpperCase(), asked, { body, token: null })).body);
  for (const [status, { examples }] of Object.entries(document.paths[path]?.[method]?.responses ?? {}))
    fits(status, withoutNull(examples['application/json']));
});

/** `x-nullable`, which generators know, is none of the validator's words. */
function withoutNull(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) => (one === null ? [] : [[key, withoutNull(one)]])),
  );
}
