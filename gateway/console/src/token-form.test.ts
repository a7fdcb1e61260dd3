import { timestampMs } from '@bufbuild/protobuf/wkt';
import { TokenRole } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { expect, it } from 'vitest';
import { NEW_TOKEN, requestOf, sameCreate, scopeOf } from './token-form.ts';

it('a token is for the clusters and labels that are named, or for all', () => {
  const form = { ...NEW_TOKEN, name: 'ci', role: 'operator', clusters: 'orders, stock', labels: 'env=prod' } as const;
  expect(requestOf(form)).toEqual({
    name: 'ci',
    role: TokenRole.OPERATOR,
    clusterIds: ['orders', 'stock'],
    allClusters: false,
    labels: { env: 'prod' },
  });
  expect(requestOf({ ...NEW_TOKEN, clusters: ' * ' })).toMatchObject({ clusterIds: [], allClusters: true });
  expect(scopeOf({ allClusters: false, clusterIds: ['orders'], labels: { env: 'prod' } })).toBe(
    'orders, all with env=prod',
  );
});

it('a token ends at the moment that is chosen in the zone of the reader', () => {
  const form = { ...NEW_TOKEN, name: 'ci', clusters: '*', expires: '2030-01-31T18:00' };
  const at = new Date(2030, 0, 31, 18);
  expect(timestampMs(requestOf(form).expireTime as never)).toBe(at.getTime());
  expect(sameCreate(form)).toMatchObject({
    body: { name: 'ci', role: 'viewer', clusters: ['*'], expireTime: at.toISOString() },
    tidemark: ['token', 'create', 'ci', '--role', 'viewer', '--cluster', '*', '--expires', at.toISOString()],
  });
});
