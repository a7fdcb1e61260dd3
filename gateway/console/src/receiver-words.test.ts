import { create } from '@bufbuild/protobuf';
import {
  NotificationTopic,
  ReceiverKind,
  ReceiverSchema,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/notification_service';
import { expect, it } from 'vitest';
import { clustersOf, topicsOf, whereOf } from './receiver-words.ts';

it('says what a receiver is told of, and about which clusters', () => {
  const all = create(ReceiverSchema, { kind: ReceiverKind.SLACK });
  expect([topicsOf(all), clustersOf(all)]).toEqual(['everything', 'all']);
  const some = create(ReceiverSchema, {
    ...{ topics: [NotificationTopic.DAMAGE, NotificationTopic.PROMISE], selector: { team: 'shop', env: 'prod' } },
  });
  expect([topicsOf(some), clustersOf(some)]).toEqual([
    'damaged backups, clusters that are late',
    'env=prod, team=shop',
  ]);
  expect(topicsOf(create(ReceiverSchema, { kind: ReceiverKind.HEARTBEAT }))).toContain('nothing');
});

it('says where it is, as far as that is no secret', () => {
  const envPrefix = { source: { case: 'envPrefix' as const, value: 'OPS_' } };
  const file = { source: { case: 'file' as const, value: '/run/ops' } };
  expect(whereOf(create(ReceiverSchema, { url: 'https://a.example/' }))).toBe('https://a.example/');
  expect(whereOf(create(ReceiverSchema, { secrets: envPrefix }))).toBe('OPS_WEBHOOK_URL');
  expect(whereOf(create(ReceiverSchema, { secrets: file }))).toBe('WEBHOOK_URL of /run/ops');
  const mail = { host: 'smtp.example.com', port: 587, from: 'a@example.com', to: ['b@example.com'] };
  expect(whereOf(create(ReceiverSchema, { mail, secrets: envPrefix }))).toBe('b@example.com over smtp.example.com:587');
});
