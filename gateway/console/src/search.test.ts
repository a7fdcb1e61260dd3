import { create } from '@bufbuild/protobuf';
import { SearchHitSchema, SearchKind } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { describe, expect, it } from 'vitest';
import { KINDS, onlyPage, pageOf } from './search.ts';

const hit = (kind: SearchKind, id: string, more = {}) => create(SearchHitSchema, { kind, id, ...more });
const found = (...hits: ReturnType<typeof hit>[]) => ({ hits, more: false, incomplete: [] });

describe('what was found', () => {
  it('has a page, of whatever kind it is', () => {
    expect([...KINDS.keys()].map((kind) => pageOf(hit(kind, 'x', { clusterId: 'a/b' })))).toEqual([
      ...['/clusters/x', '/plans/x', '/clusters/a%2Fb/rules/x', '/storages/x', '/backups/x', '/restores/x'],
    ]);
    expect(pageOf(hit(99 as SearchKind, 'x'))).toBeUndefined();
  });

  it('leads to its page where it is the only one', () => {
    const one = found(hit(SearchKind.BACKUP, 'h6IhUQh'));
    expect(onlyPage(one)).toBe('/backups/h6IhUQh');
    expect(onlyPage({ ...one, more: true })).toBeUndefined();
    expect(onlyPage({ ...one, incomplete: [SearchKind.RULE] })).toBeUndefined();
    expect(onlyPage(found())).toBeUndefined();
  });

  it('leads to the one that is the text itself, whatever else begins so', () => {
    const orders = hit(SearchKind.CLUSTER, 'orders', { exact: true });
    const beginsSo = hit(SearchKind.CLUSTER, 'orders-dr');
    expect(onlyPage({ ...found(orders, beginsSo), more: true })).toBe('/clusters/orders');
    expect(onlyPage(found(orders, hit(SearchKind.STORAGE, 'orders', { exact: true })))).toBeUndefined();
    expect(onlyPage(found(beginsSo, hit(SearchKind.CLUSTER, 'orders-eu')))).toBeUndefined();
  });
});
