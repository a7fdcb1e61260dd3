import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  DeliveryState,
  MailSecurity,
  NotificationSeverity,
  NotificationTopic,
  ReceiverKind,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/notification_service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { badFields, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

const TIME = '2026-12-01T12:00:00.000Z';
const time = timestampFromDate(new Date(TIME));
const WEBHOOK = { kind: 'webhook', url: 'https://hooks.example.com/', secrets: { envPrefix: 'OPS_' } };
const put = (body: object) => gateway.ask('PUT', '/notifications/ops', { body });

describe('a save', () => {
  it('asks for what the body says, and leaves out what it leaves out', async () => {
    const mail = { host: 'smtp.example.com', port: '587', from: 'a@example.com', to: ['b@example.com'] };
    const { body } = await put({
      ...{ kind: 'mail', mail, secrets: { file: '/run/secrets/ops' }, digest: { hour: 8, timeZone: 'Europe/Berlin' } },
      ...{ selector: { env: 'prod' }, leastSeverity: 'critical', topics: ['damage'], template: '', paused: null },
    });
    const { request } = gateway.received('putReceiver');
    expect(request.receiver).toMatchObject({
      ...{ id: 'ops', kind: ReceiverKind.MAIL, paused: false, selector: { env: 'prod' }, url: '', everySeconds: 0 },
      ...{ leastSeverity: NotificationSeverity.CRITICAL, topics: [NotificationTopic.DAMAGE] },
      mail: { ...mail, port: 587, security: MailSecurity.UNSPECIFIED },
      secrets: { source: { case: 'file', value: '/run/secrets/ops' } },
    });
    expect(body.data.receiver).toMatchObject({ id: 'ops', kind: 'mail', secrets: { file: '/run/secrets/ops' } });
    await gateway.ask('PUT', '/notifications/ops?revision=3&validateOnly=true', { body: WEBHOOK });
    expect(gateway.received('putReceiver').request).toMatchObject({ revision: 3n, validateOnly: true });
  });

  it.each<readonly [string, object, string]>([
    ['no kind', {}, 'kind'],
    ['a kind that is none', { ...WEBHOOK, kind: 'pager' }, 'kind'],
    ['an urgency that is none', { ...WEBHOOK, leastSeverity: 'high' }, 'leastSeverity'],
    ['a topic that is none', { ...WEBHOOK, topics: ['weather'] }, 'topics.0'],
    ['an hour that is none', { ...WEBHOOK, digest: { hour: 24, timeZone: 'UTC' } }, 'digest.hour'],
    ['a template that is too long', { ...WEBHOOK, template: 'x'.repeat(4_001) }, 'template'],
    ['a secret in place of its name', { ...WEBHOOK, secrets: 'hunter2' }, 'secrets'],
    ['a field that is not known', { ...WEBHOOK, password: 'hunter2' }, 'password'],
  ])('with %s is refused by its name', async (_, body, field) => {
    const answer = await put(body);
    expect([answer.status, badFields(answer)]).toEqual([400, [field]]);
    expect(JSON.stringify(answer.body)).not.toContain('hunter2');
  });

  it('is for admins of all clusters, and so are tests and deletions', async () => {
    for (const token of ['operator', 'one-cluster-admin']) {
      expect((await gateway.ask('PUT', '/notifications/ops', { token, body: WEBHOOK })).status).toBe(403);
      expect((await gateway.ask('POST', '/notifications/ops/test', { token })).status).toBe(403);
      expect((await gateway.ask('DELETE', '/notifications/ops', { token })).status).toBe(403);
    }
    expect((await gateway.ask('GET', '/notifications', { token: 'viewer' })).status).toBe(200);
  });
});

it('a receiver is shown with how it is with it, and what it has not is left out', async () => {
  gateway.answers.getReceiver = async ({ id }) => ({
    receiver: { id, kind: ReceiverKind.HEARTBEAT, url: 'https://example.com/', everySeconds: 60, updateTime: time },
    status: { waiting: 0, deliveredTime: time, trouble: 'No beat was sent: notifications wait.' },
  });
  const { body } = await gateway.ask('GET', '/notifications/switch');
  expect(body.data).toEqual({
    receiver: {
      ...{ id: 'switch', kind: 'heartbeat', paused: false, selector: {}, leastSeverity: 'unknown', topics: [] },
      ...{ url: 'https://example.com/', everySeconds: 60, revision: 0, updateTime: TIME, updatedBy: '' },
    },
    status: { waiting: 0, deliveredTime: TIME, trouble: 'No beat was sent: notifications wait.' },
  });
});

it('deliveries are listed by their states, a page at a time', async () => {
  gateway.answers.listDeliveries = async () => ({
    deliveries: [
      {
        ...{ eventId: 'e1', receiverId: 'ops', state: DeliveryState.WAITING, type: 'backup.failed', tries: 2 },
        ...{ topic: NotificationTopic.BACKUP, severity: NotificationSeverity.WARNING, text: 'It failed.' },
        ...{ clusterId: 'orders', eventTime: time, trouble: 'It answered 500.', nextTryTime: time },
      },
    ],
    nextPageToken: 'bjEg',
  });
  const { body } = await gateway.ask('GET', '/notifications/ops/deliveries?state=waiting&state=givenUp&pageSize=1');
  expect(gateway.received('listDeliveries').request).toMatchObject({
    ...{ receiverId: 'ops', states: [DeliveryState.WAITING, DeliveryState.GIVEN_UP], pageSize: 1, pageToken: '' },
  });
  expect(body.data).toEqual({
    deliveries: [
      {
        ...{ eventId: 'e1', state: 'waiting', type: 'backup.failed', severity: 'warning', text: 'It failed.' },
        ...{ clusterId: 'orders', eventTime: TIME, tries: 2, trouble: 'It answered 500.', nextTryTime: TIME },
      },
    ],
    pageToken: 'bjEg',
  });
});

it('a test says how it went', async () => {
  gateway.answers.testReceiver = async ({ id }) => ({
    delivery: { eventId: 'e1', receiverId: id, state: DeliveryState.GIVEN_UP, tries: 1, trouble: 'It answered 500.' },
  });
  const { status, body } = await gateway.ask('POST', '/notifications/ops/test');
  expect([status, body.data.delivery]).toMatchObject([200, { state: 'givenUp', trouble: 'It answered 500.' }]);
});
