import { createHash } from 'node:crypto';
import {
  CreateTokenRequest,
  ListTokensRequest,
  RevokeTokenRequest,
  TokenRole,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { runningService, type TestService } from './testing/running-service.ts';

let service: TestService;
beforeAll(async () => {
  service = await runningService();
}, 60_000);
afterAll(() => service?.[Symbol.asyncDispose]());
beforeEach(() => service.db.collection('tokens').deleteMany({}));

const create = (fields: Partial<CreateTokenRequest>) =>
  service.registry.createToken(
    CreateTokenRequest.create({ name: 'ci', role: TokenRole.TOKEN_ROLE_OPERATOR, ...fields }),
  );
const namesFor = async (...clusterIds: string[]) =>
  (await service.registry.listTokens(ListTokensRequest.create({ clusterIds }))).tokens.map(({ name }) => name);
const revoke = (id: string, ...clusterIds: string[]) =>
  service.registry.revokeToken(RevokeTokenRequest.create({ id, clusterIds }));

it('keeps the hash of a token, and tells its secret once', async () => {
  const expireTime = new Date(Date.now() + 86_400_000);
  const { token, secret } = await create({ clusterIds: ['a', 'a'], labels: { env: 'prod' }, expireTime });
  expect(secret).toMatch(/^tdms_[\w-]{43}$/);
  expect(token).toMatchObject({
    name: 'ci',
    clusterIds: ['a'],
    allClusters: false,
    labels: { env: 'prod' },
    expireTime,
  });
  expect(JSON.stringify(await service.db.collection('tokens').find().toArray())).not.toContain(secret.slice(5));

  const { tokens } = await service.registry.readTokenHashes({});
  expect(tokens.map(({ sha256 }) => Buffer.from(sha256).toString('hex'))).toEqual([
    createHash('sha256').update(secret).digest('hex'),
  ]);
  const listed = await service.registry.listTokens(ListTokensRequest.create({}));
  expect(listed.tokens).toEqual([token]);
});

it('shows, and takes back, for some clusters only what is for none but these', async () => {
  const { token: own } = await create({ name: 'own', clusterIds: ['a'] });
  const { token: both } = await create({ name: 'both', clusterIds: ['a', 'b'] });
  const { token: all } = await create({ name: 'all', allClusters: true });
  await create({ name: 'labelled', labels: { env: 'prod' } });
  expect(await namesFor()).toEqual(['all', 'both', 'labelled', 'own']);
  expect(await namesFor('a')).toEqual(['own']);
  expect(await namesFor('a', 'b', 'c')).toEqual(['both', 'own']);
  for (const one of [both, all])
    await expect(revoke(one?.id ?? '', 'a')).rejects.toMatchObject({ code: 'token_not_found' });
  await revoke(own?.id ?? '', 'a');
  await expect(revoke(own?.id ?? '')).rejects.toMatchObject({ code: 'token_not_found' });
  expect(await namesFor()).toEqual(['all', 'both', 'labelled']);
});

it.each<[string, Partial<CreateTokenRequest>, string]>([
  ['a name of Tidemark itself', { name: 'scheduler', allClusters: true }, 'name'],
  ['a name that turns the text round', { name: 'a\u202eb', allClusters: true }, 'name'],
  ['a name with a sign that cannot be seen', { name: 'c\u200bi', allClusters: true }, 'name'],
  ['a name that is like an id', { name: '848979d2f27fcf7751390a02', allClusters: true }, 'name'],
  ['a name that ends with an id', { name: 'ci (848979d2f27fcf7751390a02)', allClusters: true }, 'name'],
  ['a name that steers a terminal', { name: 'a\u001b[2J', allClusters: true }, 'name'],
  ['no role', { role: TokenRole.TOKEN_ROLE_UNSPECIFIED, allClusters: true }, 'role'],
  ['no clusters', {}, 'clusterIds'],
  ['clusters beside all', { allClusters: true, clusterIds: ['a'] }, 'clusterIds'],
  ['labels beside all', { allClusters: true, labels: { env: 'prod' } }, 'clusterIds'],
  ['an empty label', { labels: { env: '' } }, 'labels'],
  ['an end that is past', { allClusters: true, expireTime: new Date(0) }, 'expireTime'],
  [
    'an end that no database can keep',
    { allClusters: true, expireTime: new Date('+010000-01-01T00:00:00Z') },
    'expireTime',
  ],
])('refuses a token with %s by the name of the field', async (_, fields, field) => {
  await expect(create(fields)).rejects.toMatchObject({ code: 'invalid_argument', details: { fields: [{ field }] } });
  expect(await namesFor()).toEqual([]);
});

it('lets a damaged record spoil no other', async () => {
  await create({ name: 'sound', allClusters: true });
  const { token } = await create({ name: 'damaged', allClusters: true });
  await service.db
    .collection<{ _id: string }>('tokens')
    .updateOne({ _id: token?.id ?? '' }, { $unset: { clusters: '' } });
  expect(await namesFor()).toEqual(['sound']);
  expect((await service.registry.readTokenHashes({})).tokens.map((one) => one.token?.name)).toEqual(['sound']);
});
