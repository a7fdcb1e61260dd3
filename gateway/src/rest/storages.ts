import type { MessageInitShape } from '@bufbuild/protobuf';
import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import type { Storage, StorageSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { authorizeAll } from '../authorize.ts';
import { success } from './envelope.ts';
import { timeOf } from './legacy-record.ts';
import { callOptions, type RouteDependencies } from './route.ts';
import { NAME_CREDENTIALS, readStorageUrl } from './storage-url.ts';
import { bodyObject, Id, leftOut, parse, wholeNumber } from './validate.ts';

const text = leftOut(z.string('must be a text').max(1_024, 'must be at most 1024 characters'));
const OneOfFour = 'must be "local", "s3", "azure" or "gcs"';
const Common = {
  root: leftOut(z.string('must be a text').max(256, 'must be at most 256 characters')),
  maxConcurrent: leftOut(wholeNumber(0, 1_000)),
  sendCredentialsToTikv: z.boolean('must be true or false').nullish(),
  credentials: z
    .union(
      [z.strictObject({ envPrefix: z.string() }), z.strictObject({ file: z.string() })],
      'must be {"envPrefix": "PROD_"} or {"file": "/path/on/the/worker"}, and never a credential itself',
    )
    .nullish(),
};
const Body = z.discriminatedUnion(
  'type',
  [
    z.object({
      ...Common,
      type: z.literal('local'),
      path: z.string('must be an absolute folder').max(1_024, 'must be at most 1024 characters'),
    }),
    z.object({
      ...Common,
      type: z.literal('s3'),
      bucket: z.string('must be the name of a bucket'),
      prefix: text,
      region: text,
      endpoint: text,
      provider: text,
      storageClass: text,
      sse: text,
      sseKmsKeyId: text,
      acl: text,
      forcePathStyle: z.boolean('must be true or false').nullish(),
      roleArn: text,
      externalId: text,
    }),
    z.object({
      ...Common,
      type: z.literal('azure'),
      container: z.string('must be the name of a container'),
      prefix: text,
      accountName: text,
      endpoint: text,
      accessTier: text,
      encryptionScope: text,
    }),
    z.object({
      ...Common,
      type: z.literal('gcs'),
      bucket: z.string('must be the name of a bucket'),
      prefix: text,
      endpoint: text,
      storageClass: text,
      predefinedAcl: text,
    }),
  ],
  OneOfFour,
);

/** Fields that somebody may send in good faith, however they spell them, and that must not travel. */
const SECRET_FIELDS = [
  'accesskey',
  'accesskeyid',
  'secretaccesskey',
  'secretkey',
  'sessiontoken',
  'accountkey',
  'sastoken',
  'encryptionkey',
  'credentialsfile',
  'password',
];

type WithStorage = { Params: { storageId: string } };

/** Where backups are written; for admins. */
export function storageRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { registry } = dependencies.backends;

  app.get('/storages', async (request) => {
    authorizeAll(request.caller, 'listStorages');
    const { storages } = await registry.listStorages({}, callOptions(request, dependencies));
    return success({ storages: storages.map(toStorageView) });
  });

  app.get<WithStorage>('/storages/:storageId', async (request) => {
    authorizeAll(request.caller, 'getStorage');
    const { storageId } = parse(z.object({ storageId: Id }), request.params);
    const { storage } = await registry.getStorage({ id: storageId }, callOptions(request, dependencies));
    return success({ storage: storage && toStorageView(storage) });
  });

  app.put<WithStorage>('/storages/:storageId', { config: { audit: 'put storage' } }, async (request) => {
    const { storageId } = parse(z.object({ storageId: Id }), request.params);
    request.audited = { storageId };
    authorizeAll(request.caller, 'putStorage');
    const storage = { ...toStorage(bodyObject(request.body)), id: storageId };
    const stored = await registry.putStorage({ storage }, callOptions(request, dependencies));
    return success({ storage: stored.storage && toStorageView(stored.storage) });
  });

  app.delete<WithStorage>('/storages/:storageId', { config: { audit: 'delete storage' } }, async (request) => {
    const { storageId } = parse(z.object({ storageId: Id }), request.params);
    request.audited = { storageId };
    authorizeAll(request.caller, 'deleteStorage');
    await registry.deleteStorage({ id: storageId }, callOptions(request, dependencies));
    return success({});
  });
}

function toStorage(body: Record<string, unknown>): MessageInitShape<typeof StorageSchema> {
  refuseSecrets(body);
  const { url, ...rest } = body;
  const fields = url === undefined ? rest : { ...rest, ...readStorageUrl(parse(z.object({ url: Url }), { url }).url) };
  const { type, root = '', maxConcurrent = 0, sendCredentialsToTikv, credentials, ...location } = parse(Body, fields);
  const where = Object.fromEntries(Object.entries(location).filter(([, value]) => value !== null));
  return {
    root,
    maxConcurrent,
    // What the schema let through for a type is what its message has.
    location: { case: type, value: where } as MessageInitShape<typeof StorageSchema>['location'] & object,
    ...(typeof sendCredentialsToTikv === 'boolean' && { sendCredentialsToTikv }),
    ...(credentials && {
      credentials: {
        source:
          'file' in credentials
            ? { case: 'file', value: credentials.file }
            : { case: 'envPrefix', value: credentials.envPrefix },
      },
    }),
  };
}

const Url = z
  .string('must be a text, such as s3://bucket/prefix?region=eu-central-1')
  .max(2_048, 'must be at most 2048 characters');

function refuseSecrets(body: Record<string, unknown>): void {
  const violations = Object.entries(body)
    .filter(([field, value]) => SECRET_FIELDS.includes(spelledPlainly(field)) && value !== undefined && value !== null)
    .map(([field]): FieldViolation => ({ field, description: NAME_CREDENTIALS }));
  if (violations.length > 0) throw invalidArgument(violations);
}

/** As BR reads the names of parameters: without regard to capitals, `-` and `_`. */
function spelledPlainly(field: string): string {
  return field.toLowerCase().replaceAll(/[-_.]/g, '');
}

function toStorageView({ location, credentials, ...storage }: Storage): object {
  const { id, root, maxConcurrent, sendCredentialsToTikv = true, createTime, updateTime } = storage;
  const source = credentials?.source;
  return {
    id,
    type: location.case ?? '',
    ...toLocationView(location),
    ...(source?.case && { credentials: { [source.case]: source.value } }),
    ...(location.case !== 'local' && { sendCredentialsToTikv }),
    root,
    maxConcurrent,
    createTime: timeOf(createTime),
    updateTime: timeOf(updateTime),
  };
}

/** What is set of where a storage is. */
function toLocationView({ value }: Storage['location']): object {
  const { $typeName: _, ...fields } = value ?? { $typeName: '' };
  return Object.fromEntries(Object.entries(fields).filter(([, set]) => set !== '' && set !== undefined));
}
