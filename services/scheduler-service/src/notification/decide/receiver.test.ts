import { expect, it } from 'vitest';
import { type NotificationEvent, newEvent, type Severity } from './event.ts';
import { type Receiver, wants } from './receiver.ts';

const receiver = (fields: Partial<Receiver>): Receiver => ({
  _id: 'ops',
  kind: 'webhook',
  paused: false,
  selector: [],
  leastSeverity: 'info',
  topics: [],
  template: '',
  digest: null,
  url: 'https://hooks.example.com/',
  mail: null,
  secrets: null,
  everySeconds: 0,
  createTime: new Date(0),
  updateTime: new Date(0),
  updatedBy: 'test',
  revision: 1,
  savedIn: 'call',
  ...fields,
});
const event = (severity: Severity, fields: Partial<NotificationEvent> = {}): NotificationEvent => ({
  ...newEvent({ id: 'e', type: 'backup.failed', topic: 'backup', severity, at: new Date(0), text: 'x' }, {}),
  labels: [
    ['env', 'prod'],
    ['team', 'o\'hara "x"'],
  ],
  ...fields,
});

it('one that chooses nothing gets everything', () => {
  expect(wants(receiver({}), event('info'))).toBe(true);
});

it('chooses by all of its labels, whatever is in them', () => {
  const both = receiver({
    selector: [
      ['env', 'prod'],
      ['team', 'o\'hara "x"'],
    ],
  });
  expect(wants(both, event('info'))).toBe(true);
  expect(wants(receiver({ selector: [['env', 'test']] }), event('info'))).toBe(false);
  expect(wants(receiver({ selector: [['constructor', 'x']] }), event('info'))).toBe(false);
  expect(wants(both, event('info', { labels: [] }))).toBe(false);
});

it('hears of every storage, whichever cluster met it', () => {
  const prod = receiver({ selector: [['env', 'prod']] });
  expect(wants(prod, event('critical', { topic: 'storage', labels: [['env', 'test']] }))).toBe(true);
  expect(wants(receiver({ topics: ['backup'] }), event('critical', { topic: 'storage' }))).toBe(false);
});

it('who hears that something is bad hears that it is over', () => {
  const urgent = receiver({ leastSeverity: 'critical' });
  expect(wants(urgent, event('warning'))).toBe(false);
  expect(wants(urgent, event('info', { ended: 'warning' }))).toBe(false);
  expect(wants(urgent, event('info', { ended: 'critical' }))).toBe(true);
});

it('gets no other topics than it asks for, nothing while it is paused, and a heartbeat no event', () => {
  expect(wants(receiver({ topics: ['restore'] }), event('critical'))).toBe(false);
  expect(wants(receiver({ topics: ['backup'] }), event('critical'))).toBe(true);
  expect(wants(receiver({ paused: true }), event('critical'))).toBe(false);
  expect(wants(receiver({ kind: 'heartbeat' }), event('critical'))).toBe(false);
});

it('a digest or a test goes to nobody else than it is for', () => {
  expect(wants(receiver({}), event('info', { topic: 'digest' }))).toBe(false);
  expect(wants(receiver({}), event('info', { topic: 'test' }))).toBe(false);
});
