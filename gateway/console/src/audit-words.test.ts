import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { AuditEntrySchema, AuditOutcome } from '@tidemark/protocol/connect/tidemark/backup/v1/audit_service';
import { expect, it } from 'vitest';
import { filterOf, localInput, requestOf, sameList, subjectsOf } from './audit-words.ts';
import { queryOf } from './query.ts';

it('an entry leads to all that it is about, as far as that has a page', () => {
  const of = (more: object) => subjectsOf(create(AuditEntrySchema, more));
  expect(of({ clusterId: 'a/b', backupId: 'x' })).toEqual([
    { kind: 'cluster', id: 'a/b', page: '/clusters/a%2Fb' },
    { kind: 'backup', id: 'x', page: '/backups/x' },
  ]);
  expect(of({ clusterId: 'orders', rule: 'nightly' })).toContainEqual({
    kind: 'rule',
    id: 'nightly',
    page: '/clusters/orders/rules/nightly',
  });
  expect(of({ token: '3f9c' })).toEqual([{ kind: 'token', id: '3f9c', page: undefined }]);
  expect(of({})).toEqual([]);
});

it('what stands in the address is asked for, over REST and on the command line alike', () => {
  const at = new Date(2030, 0, 31, 18, 5);
  const iso = at.toISOString();
  const search = new URLSearchParams({ caller: 'ci', clusterId: 'orders', outcome: 'refused', from: iso, to: 'soon' });
  const filter = filterOf(queryOf('/audit', `?${search}`));
  expect(requestOf(filter)).toEqual({
    caller: 'ci',
    what: '',
    clusterIds: ['orders'],
    outcome: AuditOutcome.REFUSED,
    from: timestampFromMs(at.getTime()),
  });
  expect(sameList(filter, 50)).toEqual({
    method: 'GET',
    path: `/audit?caller=ci&clusterId=orders&outcome=refused&from=${encodeURIComponent(iso)}&pageSize=50`,
    tidemark: ['audit', '--caller', 'ci', '--cluster', 'orders', '--outcome', 'refused', '--since', iso],
  });
  expect(localInput(filter.from)).toBe('2030-01-31T18:05');
  expect(localInput(filter.to)).toBe('');
});
