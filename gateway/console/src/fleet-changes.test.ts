import { create } from '@bufbuild/protobuf';
import {
  FleetVerdict,
  ListFleetResponseSchema,
  WatchFleetResponseSchema,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import { expect, it } from 'vitest';
import { changed } from './fleet-changes.ts';

const { LATE, IN_TIME } = FleetVerdict;
const counts = [
  { verdict: LATE, count: 1 },
  { verdict: IN_TIME, count: 9 },
];
const page = create(ListFleetResponseSchema, {
  rows: [
    { clusterId: 'a', verdict: LATE },
    { clusterId: 'b', verdict: IN_TIME },
  ],
  counts,
});
const message = (init: object) => create(WatchFleetResponseSchema, init);
const active = { backupId: 'x', state: 2 };

it('a change of a cluster that leaves it in its place is put into the page', () => {
  const next = changed(page, message({ rows: [{ clusterId: 'b', verdict: IN_TIME, active }], counts }));
  expect(next?.rows.map(({ clusterId, active: of }) => [clusterId, of?.backupId])).toEqual([
    ['a', undefined],
    ['b', 'x'],
  ]);
});

it('a message without anything says that all is as it was, and a change of a cluster on another page changes nothing here', () => {
  expect(changed(page, message({}))?.rows).toEqual(page.rows);
  expect(changed(page, message({ rows: [{ clusterId: 'z', verdict: IN_TIME }], counts }))?.rows).toEqual(page.rows);
});

it.each([
  ['another verdict', { rows: [{ clusterId: 'b', verdict: LATE }] }],
  ['other counts', { counts: [{ verdict: LATE, count: 2 }] }],
  ['a cluster that is gone', { goneClusterIds: ['a'] }],
  ['a new beginning', { restart: true }],
])('%s has the page asked for anew', (_, init) => expect(changed(page, message(init))).toBeUndefined());
