/**
 * Who may call what: every RPC, every kind of token, every protocol, and REST.
 *
 * 1. The table of roles decides, the same way everywhere.
 * 2. What is foreign looks like what is not there, word for word.
 * 3. What is for Tidemark's own processes is there for nobody.
 */

import type { DescService } from '@bufbuild/protobuf';
import { callOfMethod } from '@tidemark/contract/calls';
import { ERRORS, type ErrorCode } from '@tidemark/errors/codes';
import { ExecutorService } from '@tidemark/protocol/connect/tidemark/backup/v1/executor_service';
import { PlanService } from '@tidemark/protocol/connect/tidemark/strategy/v1/plan_service';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ROLES, type Role } from '../identity/caller.ts';
import { accessLog, auditLog, log } from '../logger.ts';
import { CLUSTER, OTHER_BACKUP, OTHER_CLUSTER, OTHER_RESTORE } from '../testing/programmable-backends.ts';
import { as, outcomeOf, PROTOCOLS, type RpcGateway, startRpcGateway, type Told } from '../testing/rpc-clients.ts';
import { FOREIGN, OWN, SAMPLES, type ServedSample, type Subject, UNKNOWN } from '../testing/rpc-samples.ts';
import { PUBLIC_SERVICES } from './rpc-handler.ts';

let gateway: RpcGateway;
beforeAll(async () => {
  for (const one of [log, accessLog, auditLog]) vi.spyOn(one, 'info').mockImplementation(() => undefined);
  gateway = await startRpcGateway();
});
afterAll(() => gateway?.[Symbol.asyncDispose]());

const TOKENS: Readonly<Record<string, { readonly role: Role; readonly all: boolean }>> = {
  viewer: { role: 'viewer', all: true },
  operator: { role: 'operator', all: true },
  admin: { role: 'admin', all: true },
  'one-cluster-viewer': { role: 'viewer', all: false },
  'one-cluster': { role: 'operator', all: false },
  'one-cluster-admin': { role: 'admin', all: false },
  labelled: { role: 'operator', all: false },
  // What a token with labels sees is found out for all roles alike.
  ...(process.env.TIDEMARK_LONG_TESTS === '1' && {
    'labelled-viewer': { role: 'viewer', all: false },
    'labelled-admin': { role: 'admin', all: false },
  }),
};
const LIMITED = Object.keys(TOKENS).filter((token) => !TOKENS[token]?.all);

const ask = async ({ service, method, request }: ServedSample, token: string | null, subject: Subject) => {
  const outcomes = await Promise.all(
    PROTOCOLS.map(async (protocol) => [
      protocol,
      await outcomeOf(gateway.call(protocol, service, method, request(subject), as(token))),
    ]),
  );
  return Object.fromEntries(outcomes) as Record<string, 'ok' | Told>;
};

/** The methods that reached the services, without what looks up which clusters have a label. */
const reached = () =>
  gateway.calls
    .filter(({ headers }) => !headers.get('x-request-id')?.startsWith('labels-'))
    .map(({ method }) => method);

/** The one outcome of all protocols. */
const verdict = async (served: ServedSample, token: string | null, subject: Subject): Promise<'ok' | Told> => {
  const outcomes = await ask(served, token, subject);
  const [first] = Object.values(outcomes);
  expect(outcomes, token ?? 'no token').toEqual(Object.fromEntries(PROTOCOLS.map((protocol) => [protocol, first])));
  if (first === undefined) throw new Error('nothing was asked');
  return first;
};

/** What REST says to the same: its status and sentence, as the table of errors relates them to a code. */
const expectSameOverRest = async (
  { rest }: ServedSample,
  token: string | null,
  subject: Subject,
  told: 'ok' | Told,
) => {
  if (!rest) return;
  const [method, path, body] = rest(subject);
  const answer = await gateway.ask(method, path, { token, ...(body && { body }) });
  if (told === 'ok') expect([path, answer.status]).toEqual([path, 200]);
  else {
    const reason = told.reason?.replace('tidemark/', '') as ErrorCode;
    const { http, number } = ERRORS[reason];
    expect([path, answer.status, answer.body.code, answer.body.message]).toEqual([path, http, number, told.message]);
  }
};

describe.each(SAMPLES.map((served) => [served.method, served] as const))('%s', (_, served) => {
  const { call, method } = served;

  it('is for those whom the table of roles names, over every protocol and REST, and reaches no service otherwise', async () => {
    for (const [token, { role, all }] of Object.entries(TOKENS)) {
      gateway.calls.length = 0;
      const told = await verdict(served, token, OWN);
      const seesEnough = all || call.subject !== 'everything';
      const may = ROLES.indexOf(role) >= ROLES.indexOf(call.role) && seesEnough;
      if (may) expect(told, token).toBe('ok');
      else expect(told, token).toMatchObject({ code: 'PermissionDenied', reason: 'tidemark/permission_denied' });
      await expectSameOverRest(served, token, OWN, told);
      expect(reached().includes(method), token).toBe(may);
    }
  });

  it('is for nobody without a good token', async () => {
    for (const token of [null, 'guessed', 'expired']) {
      const told = await verdict(served, token, OWN);
      const reason = token === 'expired' ? 'tidemark/token_expired' : 'tidemark/unauthenticated';
      expect(told, token ?? '').toMatchObject({ code: 'Unauthenticated', reason });
      await expectSameOverRest(served, token, OWN, told);
    }
  });

  it('shows of other clusters nothing, not even that they are there', async () => {
    for (const token of LIMITED) {
      gateway.calls.length = 0;
      const foreign = await verdict(served, token, FOREIGN);
      const made = reached();
      gateway.calls.length = 0;
      const unknown = await verdict(served, token, UNKNOWN);
      const named = JSON.stringify(foreign)
        .replaceAll(OTHER_CLUSTER, UNKNOWN.clusterId)
        .replaceAll(OTHER_BACKUP, UNKNOWN.backupId)
        .replaceAll(OTHER_RESTORE, UNKNOWN.restoreId);
      expect(JSON.parse(named), token).toEqual(unknown);
      const namesNoCluster = JSON.stringify(served.request(FOREIGN)) === JSON.stringify(served.request(OWN));
      if (!namesNoCluster) {
        expect(foreign, token).toMatchObject({ code: 'NotFound' });
        expect(reached(), token).toEqual(made);
        expect(
          made.every((one) => one === 'getBackup' || one === 'getRestore'),
          token,
        ).toBe(true);
      }
      await expectSameOverRest(served, token, FOREIGN, foreign);
    }
  });

  it('says of what is not there the same to who sees everything', async () => {
    const told = await verdict(served, 'admin', UNKNOWN);
    await expectSameOverRest(served, 'admin', UNKNOWN, told);
  });
});

describe('what is for Tidemark’s own processes', () => {
  const internal = [...PUBLIC_SERVICES, PlanService, ExecutorService].flatMap((service: DescService) =>
    service.methods
      .filter(({ name }) => callOfMethod(`${service.typeName}/${name}`) === undefined)
      .map(({ localName }) => [localName, service, localName] as const),
  );

  it.each(internal)('%s is unimplemented for an admin over every protocol', async (_, service, method) => {
    gateway.calls.length = 0;
    for (const protocol of PROTOCOLS) {
      const told = await outcomeOf(gateway.call(protocol, service, method, {}, as('admin')));
      expect(told, protocol).toMatchObject({ code: 'Unimplemented' });
    }
    expect(gateway.calls).toEqual([]);
  });
});

describe('a list', () => {
  const LISTS = SAMPLES.filter(({ call }) => call.subject === 'own clusters' && call.role === 'viewer');
  /** What it must have, but for clusters. */
  const least = ({ request }: ServedSample) => ({ ...request(OWN), clusterIds: [] });
  it.each(LISTS.map((served) => [served.method, served] as const))(
    '%s that names no cluster is one of the caller’s clusters',
    async (method, served) => {
      const { service } = served;
      for (const protocol of PROTOCOLS) {
        await outcomeOf(gateway.call(protocol, service, method, least(served), as('one-cluster-viewer')));
        const { clusterIds, ids } = gateway.received(method as 'listBackups').request;
        expect(clusterIds ?? ids, protocol).toEqual([CLUSTER]);
        await outcomeOf(gateway.call(protocol, service, method, least(served), as('viewer')));
        const all = gateway.received(method as 'listBackups').request;
        expect(all.clusterIds ?? all.ids, protocol).toEqual([]);
      }
    },
  );

  it.each(LISTS.map((served) => [served.method, served] as const))(
    '%s that names a foreign cluster beside an own one is refused, and reaches no service',
    async (method, { service }) => {
      const ids = [CLUSTER, OTHER_CLUSTER];
      const request = method === 'listClusters' ? { ids } : { clusterIds: ids };
      gateway.calls.length = 0;
      for (const protocol of PROTOCOLS)
        expect(
          await outcomeOf(gateway.call(protocol, service, method, request, as('one-cluster'))),
          protocol,
        ).toMatchObject({ code: 'NotFound', message: `There is no cluster ${OTHER_CLUSTER}.` });
      expect(gateway.calls).toEqual([]);
    },
  );

  it('is empty for a caller who sees no cluster, and not of all of them', async () => {
    vi.spyOn(gateway.authenticator, 'authenticate').mockResolvedValue({
      tokenId: 't',
      name: 'nobody',
      role: 'admin',
      clusters: [],
    });
    gateway.calls.length = 0;
    for (const served of LISTS) {
      const { service, method } = served;
      const leave = new AbortController();
      const called = gateway.call('gRPC', service, method, least(served), { ...as('x'), signal: leave.signal });
      if (service.method[method]?.methodKind === 'unary') {
        expect(await outcomeOf(called), method).toBe('ok');
        continue;
      }
      // One that goes on is quiet behind its first message.
      const messages = (called as AsyncIterable<unknown>)[Symbol.asyncIterator]();
      expect((await messages.next()).done, method).toBe(false);
      leave.abort();
    }
    expect(gateway.calls).toEqual([]);
    vi.mocked(gateway.authenticator.authenticate).mockRestore();
  });
});
