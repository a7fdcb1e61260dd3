/** Receivers as real servers: what they get, and what becomes of those that do not behave. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { testAuthority } from '@tidemark/service-kit/testing/certificates';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { toNetwork } from './addresses.ts';
import { newEvent } from './decide/event.ts';
import type { Receiver } from './decide/receiver.ts';
import { send } from './send.ts';

const SECRET = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;
const PASSWORD = 'correct horse battery';
const LOOPBACK = toNetwork('127.0.0.0/8');
const QUOTED = 'o"hara\\ \r\nBcc: x@example.com <!channel>';
const EVENT = newEvent(
  {
    id: '0d3f6c1e-2222-4b8e-8a51-3e0f4e1f7c11',
    type: 'backup.failed',
    topic: 'backup',
    severity: 'warning',
    at: new Date('2026-12-02T03:00:00Z'),
    text: `A backup of orders failed: ${QUOTED}`,
  },
  { clusterId: 'orders', labels: [['team', QUOTED]] },
);

interface Got {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly path: string;
}

const stack = new AsyncDisposableStack();
const got: Got[] = [];
let answer: (response: ServerResponse) => void = (response) => response.end();
const troubles: string[] = [];

const http: Server = createServer((request, response) => {
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    got.push({ headers: request.headers, body: Buffer.concat(pieces).toString(), path: request.url ?? '' });
    answer(response);
  });
});
await new Promise<void>((listening) => http.listen(0, '127.0.0.1', listening));
stack.defer(() => {
  http.closeAllConnections();
  http.close();
});
const port = (http.address() as AddressInfo).port;

afterAll(() => stack.disposeAsync());
beforeEach(() => {
  got.length = 0;
  troubles.length = 0;
  answer = (response) => response.end();
});

const receiver = (fields: Partial<Receiver>): Receiver => ({
  _id: 'ops',
  kind: 'webhook',
  paused: false,
  selector: [],
  leastSeverity: 'info',
  topics: [],
  template: '',
  digest: null,
  url: `http://127.0.0.1:${port}/hook`,
  mail: null,
  secrets: { kind: 'envPrefix', prefix: 'OPS_' },
  everySeconds: 0,
  createTime: new Date(0),
  updateTime: new Date(0),
  updatedBy: 'test',
  revision: 1,
  savedIn: 'call',
  ...fields,
});

const sendTo = (
  fields: Partial<Receiver>,
  { env = {}, networks = LOOPBACK ? [LOOPBACK] : [], signal = new AbortController().signal } = {},
) =>
  send(
    receiver(fields),
    EVENT,
    {
      networks,
      env: { OPS_WEBHOOK_SECRET: SECRET, ...env },
      source: '/tidemark',
      now: () => new Date(),
      onTemplateTrouble: (_, trouble) => troubles.push(trouble),
    },
    signal,
  );
const troubleOf = async (...asked: Parameters<typeof sendTo>) => {
  const outcome = await sendTo(...asked);
  return outcome.kind === 'failed' ? outcome.trouble : outcome.kind;
};

describe('a webhook', () => {
  it('gets a CloudEvent, signed as Standard Webhooks has it, whatever is in the texts', async () => {
    expect(await sendTo({})).toEqual({ kind: 'delivered' });
    const [{ headers, body, path } = { headers: {}, body: '', path: '' }] = got;
    expect(path).toBe('/hook');
    expect(headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');
    expect(headers['webhook-id']).toBe(EVENT.id);
    const event = new Webhook(SECRET).verify(body, headers as Record<string, string>);
    expect(event).toMatchObject({ id: EVENT.id, data: { text: EVENT.text, labels: { team: QUOTED } } });
    expect(() => new Webhook(SECRET).verify(`${body} `, headers as Record<string, string>)).toThrow();
  });

  it('gets the same id at each try', async () => {
    answer = (response) => response.writeHead(500).end('no');
    expect(await troubleOf({})).toBe('It answered 500.');
    answer = (response) => response.writeHead(204).end();
    expect(await troubleOf({})).toBe('delivered');
    expect(got.map(({ headers }) => headers['webhook-id'])).toEqual([EVENT.id, EVENT.id]);
  });

  it('that redirects is not followed', async () => {
    answer = (response) => response.writeHead(302, { location: `http://127.0.0.1:${port}/elsewhere` }).end();
    expect(await troubleOf({})).toBe('It answered 302, and redirects are not followed.');
    expect(got.map(({ path }) => path)).toEqual(['/hook']);
  });

  it('that answers without end is taken at its status', async () => {
    answer = (response) => {
      response.writeHead(200);
      const more = () => void (response.write('x'.repeat(64 * 1024), () => setImmediate(more)) || undefined);
      response.on('close', () => response.removeAllListeners());
      more();
    };
    expect(await troubleOf({})).toBe('delivered');
  });

  it('that says that it has it, and then no more, is taken at its word', async () => {
    answer = (response) => void response.writeHead(200).write('wait');
    expect(await troubleOf({})).toBe('delivered');
  });

  it('that changes the protocol, or ends without an answer, has not taken it', async () => {
    answer = (response) => {
      response.writeHead(101, { connection: 'upgrade', upgrade: 'other' });
      response.end();
    };
    expect(await troubleOf({})).not.toBe('delivered');
    answer = (response) => response.socket?.destroy();
    expect(await troubleOf({})).not.toBe('delivered');
  });

  it('that hangs is given up, and nothing is left open', async () => {
    answer = () => undefined;
    const hangs = sendTo({}, { signal: AbortSignal.timeout(200) });
    await expect(hangs).rejects.toThrow();
    await expect.poll(() => new Promise((resolve) => http.getConnections((_, count) => resolve(count)))).toBe(0);
  });

  it('at a local address gets nothing unless its network is allowed', async () => {
    expect(await troubleOf({}, { networks: [] })).toContain('local or private address');
    expect(await troubleOf({ url: `http://localhost:${port}/hook` }, { networks: [] })).toContain('local or private');
    expect(await troubleOf({ url: `http://[::ffff:127.0.0.1]:${port}/` }, { networks: [] })).toContain(
      'local or private',
    );
    expect(got).toEqual([]);
  });

  it('that is not there is told in a sentence without its address', async () => {
    const away = createTcpServer();
    await new Promise<void>((listening) => away.listen(0, '127.0.0.1', listening));
    const { port: closed } = away.address() as AddressInfo;
    await new Promise((done) => away.close(done));
    expect(await troubleOf({ url: `http://127.0.0.1:${closed}/` })).toBe('It refused the connection.');
  });

  it('whose secret is missing or wrong says which, and never what', async () => {
    expect(await troubleOf({ secrets: { kind: 'envPrefix', prefix: 'DEV_' } })).toBe(
      'A secret is missing: scheduler-service has no DEV_WEBHOOK_SECRET.',
    );
    const wrong = await troubleOf({}, { env: { OPS_WEBHOOK_SECRET: 'hunter2 is no base64' } });
    expect(wrong).toContain('is none of Standard Webhooks');
    expect(wrong).not.toContain('hunter2');
    const short = `whsec_${Buffer.from('hunter2').toString('base64')}`;
    expect(await troubleOf({}, { env: { OPS_WEBHOOK_SECRET: short } })).toContain('is none of Standard Webhooks');
    expect(got).toEqual([]);
  });
});

describe('a certificate that nobody vouches for', () => {
  const unknown = testAuthority().then((authority) => authority.sign({ names: ['localhost'] }));
  const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;

  it('ends a webhook before anything is sent', async () => {
    await using server = createHttpsServer(await unknown, () => got.push({ headers: {}, body: '', path: 'https' }));
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    expect(await troubleOf({ url: `https://localhost:${portOf(server)}/` })).toMatch(
      /^Its certificate was not accepted/,
    );
    expect(got).toEqual([]);
  });

  it.each(['tls', 'starttls'] as const)('ends a mail before login and text: %s', async (security) => {
    const onAuth = vi.fn<NonNullable<SMTPServerOptions['onAuth']>>((_, __, done) => done(null, { user: 'x' }));
    const smtp = new SMTPServer({ ...(await unknown), secure: security === 'tls', authOptional: true, onAuth });
    smtp.on('error', () => undefined);
    const server = await new Promise<TcpServer>((listening) => {
      const made: TcpServer = smtp.listen(0, '127.0.0.1', () => listening(made));
    });
    const mail = { host: 'localhost', port: portOf(server), security, from: 'a@example.com', to: ['b@example.com'] };
    const env = { OPS_SMTP_USER: 'tidemark', OPS_SMTP_PASSWORD: PASSWORD };
    expect(await troubleOf({ kind: 'mail', url: '', mail }, { env })).toContain('certificate was not accepted');
    expect(onAuth).not.toHaveBeenCalled();
    await new Promise<void>((closed) => smtp.close(() => closed()));
  });
});

describe('Slack', () => {
  const slack = { kind: 'slack', url: '' } as const;
  const env = { OPS_WEBHOOK_URL: `http://127.0.0.1:${port}/services/T0/B0/xyzzy` };

  it('gets a text by the template, in which nothing of a label means anything to Slack', async () => {
    const template = '*{{title}}* <https://tidemark.example.com/{{cluster}}|open> {{labels.team}}';
    expect(await troubleOf({ ...slack, template }, { env })).toBe('delivered');
    const { text } = JSON.parse(got[0]?.body ?? '{}') as { text: string };
    expect(text).toContain('<https://tidemark.example.com/orders|open>');
    expect(text).toContain('&lt;!channel&gt;');
    expect(text).not.toContain('<!channel>');
  });

  it('gets the plain text where the template fails', async () => {
    expect(await troubleOf({ ...slack, template: '{{#open}}' }, { env })).toBe('delivered');
    expect(JSON.parse(got[0]?.body ?? '{}').text).toContain('A backup of orders failed');
    expect(troubles[0]).toContain('The template fails');
  });

  it('keeps its address to itself, whatever goes wrong', async () => {
    answer = (response) => response.writeHead(404).end('no_service xyzzy');
    expect(await troubleOf(slack, { env })).toBe('It answered 404.');
    expect(await troubleOf(slack, { env: { OPS_WEBHOOK_URL: 'xyzzy' } })).not.toContain('xyzzy');
  });
});

describe('mail', () => {
  const mails: { readonly text: string; readonly to: readonly string[] }[] = [];
  const smtp = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    authMethods: ['PLAIN', 'LOGIN'],
    allowInsecureAuth: true,
    authOptional: true,
    onAuth: ({ username, password }, _, done) =>
      username === 'tidemark' && password === PASSWORD
        ? done(null, { user: username })
        : done(new Error(`no ${password}`)),
    onRcptTo: ({ address }, _, done) => done(address.startsWith('nobody@') ? new Error('no such mailbox') : undefined),
    onData: (stream, session, done) => {
      const pieces: Buffer[] = [];
      stream.on('data', (piece: Buffer) => pieces.push(piece));
      stream.on('end', () => {
        mails.push({
          text: Buffer.concat(pieces).toString(),
          to: session.envelope.rcptTo.map(({ address }) => address),
        });
        done();
      });
    },
  });
  smtp.on('error', () => undefined);
  const listening = new Promise<number>((resolve) => {
    const server = smtp.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
  stack.defer(() => new Promise<void>((closed) => smtp.close(() => closed())));
  const mailTo = async (...to: string[]) =>
    ({
      kind: 'mail',
      url: '',
      mail: { host: '127.0.0.1', port: await listening, security: 'none', from: 'tidemark@example.com', to },
    }) as const;
  beforeEach(() => {
    mails.length = 0;
  });

  it('reaches all of its addresses, with the id of the event, and no header out of a text', async () => {
    const env = { OPS_SMTP_USER: 'tidemark', OPS_SMTP_PASSWORD: PASSWORD };
    expect(await troubleOf(await mailTo('ops@example.com', 'dba@example.com'), { env })).toBe('delivered');
    expect(mails[0]?.to).toEqual(['ops@example.com', 'dba@example.com']);
    const headers = mails[0]?.text.slice(0, mails[0].text.indexOf('\r\n\r\n')) ?? '';
    expect(headers).toContain(`Message-ID: <${EVENT.id}@example.com>`);
    expect(headers).toContain('Auto-Submitted: auto-generated');
    expect(headers).toMatch(/^Subject: .*Tidemark.warning/m);
    expect(headers).not.toMatch(/^Bcc/m);
  });

  it('that is refused says by whom, and never with which password', async () => {
    const env = { OPS_SMTP_USER: 'tidemark', OPS_SMTP_PASSWORD: 'hunter2' };
    const trouble = await troubleOf(await mailTo('ops@example.com'), { env });
    expect(trouble).toContain('refused the user or the password');
    expect(trouble).not.toContain('hunter2');
    expect(await troubleOf(await mailTo('nobody@example.com'))).toContain('refused the sender or all of the addresses');
  });

  it('that some of its addresses do not get is taken, and says how many', async () => {
    expect(await sendTo(await mailTo('ops@example.com', 'nobody@example.com'))).toEqual({
      kind: 'delivered',
      trouble: 'The mail server refused 1 of 2 addresses.',
    });
    expect(mails[0]?.to).toEqual(['ops@example.com']);
  });

  it('is not sent where STARTTLS is wanted and not offered', async () => {
    const { mail, ...rest } = await mailTo('ops@example.com');
    expect(await troubleOf({ ...rest, mail: { ...mail, security: 'starttls' } })).toContain('STARTTLS');
    expect(mails).toEqual([]);
  });

  it('that hangs is given up', async () => {
    const silent = createTcpServer(() => undefined);
    await new Promise<void>((ready) => silent.listen(0, '127.0.0.1', ready));
    const { mail, ...rest } = await mailTo('ops@example.com');
    const { port: mute } = silent.address() as AddressInfo;
    const hangs = sendTo({ ...rest, mail: { ...mail, port: mute } }, { signal: AbortSignal.timeout(300) });
    await expect(hangs).rejects.toThrow();
    await new Promise((closed) => silent.close(closed));
  });
});
