/** The command line in this process, against a server that answers as each test says. */
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MAX_ANSWER_BYTES } from '@tidemark/limits/limits';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createProgram, NAMES, namesIn } from './program.ts';
import { BACKUP, backup, fleetRow, running } from './testing/records.ts';
import { type CommandLine, events, fail, seen, startCommandLine } from './testing/run.ts';

let line: CommandLine;
beforeEach(async () => {
  line = await startCommandLine();
});
afterEach(() => line[Symbol.asyncDispose]());

/** The verbs below a command, or that itself. */
async function verbsOf(path: readonly string[]): Promise<string[]> {
  const { stdout } = await line.run([...path, '--help']);
  const [, below = ''] = /^Commands:\n((?: {2,}.*\n?)+)/m.exec(stdout) ?? [];
  const names = [...below.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name = '']) => name).filter((name) => name !== 'help');
  if (names.length === 0) return [path.join(' ')];
  return (await Promise.all(names.map((name) => verbsOf([...path, name])))).flat();
}

/** Reads a command as a shell and the command line do, and calls `act` in the place of what it would do. */
async function parse(text: string, act: () => Promise<void>): Promise<void> {
  const args = [...text.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, one, two, three]) => one ?? two ?? three ?? '');
  const silent = { writeOut: () => undefined, writeErr: () => undefined };
  const program = await createProgram(namesIn(args), act, silent);
  await program.parseAsync(args, { from: 'user' });
}

const COUNTS = { never: 0, veryLate: 0, late: 0, noPlan: 0, inTime: 0 };
const fleet = (clusters: object[], counts: object = {}, more: object = {}) => ({
  clusters,
  counts: { ...COUNTS, ...counts },
  asOf: '2026-01-06T08:01:00.000Z',
  ...more,
});

describe('help', () => {
  it('has an example for every verb, and every example is one that the command line understands', async () => {
    let done = 0;
    const count = async () => {
      done += 1;
    };
    const examplesOf = (help: string) => [...help.matchAll(/^ {2}tidemark (.+)$/gm)].map(([, text = '']) => text);
    const verbs = (await Promise.all(NAMES.map((name) => verbsOf([name])))).flat();
    for (const verb of verbs) {
      const { code, stdout } = await line.run([...verb.split(' '), '--help']);
      const found = examplesOf(stdout);
      expect(code, verb).toBe(0);
      expect(
        found.filter((text) => text.startsWith(verb)),
        verb,
      ).not.toEqual([]);
      for (const text of found) await parse(text, count);
    }
    expect(verbs.length).toBeGreaterThan(20);
    expect(done).toBeGreaterThanOrEqual(verbs.length);
  });

  it('knows no verb that the manual leaves out', async () => {
    const manual = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'cli.md'), 'utf8');
    const told = [...manual.matchAll(/^\| (`.+`) \| .*\|$/gm)].flatMap(([, cell = '']) => {
      const [first = '', ...others] = [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) =>
        text.replace(/ \W?[A-Z-].*$/, ''),
      );
      const group = first.split(' ').slice(0, -1).join(' ');
      return [first, ...others.map((verb) => `${group} ${verb}`)];
    });
    const known = (await Promise.all(NAMES.map((name) => verbsOf([name])))).flat();
    expect(known.filter((verb) => !told.includes(verb))).toEqual([]);
  });

  it('understands every command of the manual of operations', async () => {
    const manual = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'operations.md'), 'utf8');
    const blocks = [...manual.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block);
    const commands = blocks.flatMap((block) =>
      [...block.matchAll(/^ *tidemark (.+?)(?: {2,}#.*)?$/gm)].map(([, text = '']) => text),
    );
    let done = 0;
    for (const text of commands)
      await parse(text, async () => {
        done += 1;
      });
    expect(done).toBe(commands.length);
    expect(done).toBeGreaterThan(30);
    // In the middle of a sentence they may lack what they are about.
    const known = (await Promise.all(NAMES.map((name) => verbsOf([name])))).flat();
    for (const [, text = ''] of manual.replaceAll(/```.*?```/gs, '').matchAll(/`tidemark ([^`]+)`/g))
      expect(
        known.some((verb) => `${text} `.startsWith(`${verb} `)),
        text,
      ).toBe(true);
  });

  it('says which verb may be meant, and asks nothing of a server', async () => {
    const { code, stderr } = await line.run(['bakup', 'list']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('(Did you mean backup?)')]);
    expect((await line.run(['backup', 'lst'])).stderr).toContain('Did you mean list?');
    expect((await line.run(['backup', 'get'])).code).toBe(2);
    expect(line.asked).toEqual([]);
  });
});

it.each([['version'], ['--version'], ['-V']])('says its version for %s', async (word) => {
  const { code, stdout } = await line.run([word]);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
});

describe('status', () => {
  it('shows the least safe first as the API has them, in one sentence how many are late, and fails then', async () => {
    const last = { backupId: BACKUP, state: 'Failed' as const, endTime: '', code: 'STORAGE_DENIED', reason: 'No.' };
    line.answers['GET /fleet'] = () =>
      fleet([fleetRow('stock', { verdict: 'never', newestGood: undefined, last } as object), fleetRow('orders')], {
        never: 1,
        inTime: 79,
      });
    const { code, stdout } = await line.run(['status']);
    expect(code).toBe(1);
    expect(stdout.split('\n').map((text) => text.replaceAll(/ {2,}/g, '  ').trimEnd())).toEqual([
      '1 of 80 clusters has no good backup in time.',
      'CLUSTER  VERDICT  NEWEST GOOD  LOG  NOW  LAST  NEXT',
      'stock  never backed up  -  -  -  Failed: STORAGE_DENIED  -',
      'orders  in time  7.5 h ago  -  -  -  -',
      '',
    ]);
  });

  it('is fine where none is late, and passes filters on', async () => {
    line.answers['GET /fleet'] = () => fleet([fleetRow('orders')], { inTime: 1, noPlan: 1 });
    const { code } = await line.run(['status', '--label', 'env=prod', '--verdict', 'inTime', '--cluster', 'orders']);
    expect(code).toBe(0);
    expect(line.asked[0]?.path).toBe('/fleet?pageSize=50&clusterId=orders&label=env%3Dprod&verdict=inTime');
  });

  it('fails where a log that is wanted has an alarm, and tells which, and when a drill last proved each cluster', async () => {
    const alarm = { name: 'logMissing', critical: true, message: 'The log backup task is gone.' };
    const log = { verdict: 'critical', wanted: 'on', state: 'Missing', alarm } as const;
    const lastProven = { time: '2026-01-04T02:10:00.000Z', seconds: 4_200 };
    line.answers['GET /fleet'] = () =>
      fleet(
        [fleetRow('orders', { log, rpoSeconds: 7_200, lastProven }), fleetRow('stock')],
        { inTime: 2 },
        {
          logCounts: { critical: 1, warning: 0, off: 1 },
        },
      );
    const { code, stdout } = await line.run(['status', '--log', 'critical', '-o', 'wide'], { columns: 400 });
    expect([code, line.asked[0]?.path]).toEqual([1, '/fleet?pageSize=50&log=critical']);
    expect(stdout).toContain('2 clusters: none is late. 1 log backup has an alarm.\n');
    expect(stdout).toMatch(/orders .* critical: logMissing +2\.0 h .*The log backup task is gone\./);
    expect(stdout).toMatch(/orders .*2026-01-04/);
  });

  it('reads all pages where it prints JSON, which is the answer of the API', async () => {
    const pages = [fleet([fleetRow('a')], { inTime: 2 }, { pageToken: 'p2' }), fleet([fleetRow('b')], { inTime: 2 })];
    line.answers['GET /fleet'] = ({ path }) => pages[path.includes('pageToken=p2') ? 1 : 0];
    const { code, stdout } = await line.run(['status', '-o', 'json']);
    expect([code, JSON.parse(stdout)]).toEqual([0, fleet([fleetRow('a'), fleetRow('b')], { inTime: 2 })]);
    const lines = (await line.run(['status', '-o', 'jsonl'])).stdout.trim().split('\n');
    expect(lines.map((text) => JSON.parse(text).clusterId)).toEqual(['a', 'b']);
    expect((await line.run(['status', '-o', 'yaml'])).stdout).toMatch(/^clusters:\n {2}- clusterId: a\n/);
  });

  it('says that what runs is left out, where one of the pages could not tell', async () => {
    const pages = [
      fleet([fleetRow('a')], { inTime: 2 }, { pageToken: 'p2', withoutActivity: true }),
      fleet([fleetRow('b')], { inTime: 2 }),
    ];
    line.answers['GET /fleet'] = ({ path }) => pages[path.includes('pageToken=p2') ? 1 : 0];
    const { code, stdout, stderr } = await line.run(['status', '-o', 'json']);
    expect([code, JSON.parse(stdout).withoutActivity]).toEqual([0, true]);
    expect(stderr).toContain('What runs, and what ended last, could not be asked for in time');
  });

  it('lets nothing that a server sends steer the terminal, in any form', async () => {
    const name = 'bad\u001b[2J\u0007\u009b31m\u202e';
    line.answers['GET /fleet'] = () =>
      fleet([fleetRow('a', { name, last: { backupId: 'b', state: 'Failed', endTime: '', reason: name } })]);
    for (const form of ['wide', 'json', 'yaml', 'jsonl']) {
      const { stdout } = await line.run(['status', '-o', form], { columns: 200 });
      expect(stdout, form).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
    }
    const { stdout } = await line.run(['status', '-o', 'json'], { columns: 200 });
    expect(JSON.parse(stdout).clusters[0].name).toBe(name);
  });

  it('fits 40 columns', async () => {
    const last = { backupId: BACKUP, state: 'Failed' as const, endTime: '', code: 'A_VERY_LONG_CODE_OF_A_REASON' };
    line.answers['GET /fleet'] = () =>
      fleet([fleetRow('a-cluster-with-a-rather-long-name-of-its-own', { last }), fleetRow('b')]);
    const { stdout } = await line.run(['status', '-o', 'wide'], { columns: 40 });
    for (const text of seen(stdout).split('\n').slice(1)) expect([...text].length, text).toBeLessThanOrEqual(40);
    expect(stdout.replaceAll(/\s/g, '')).toContain('A_VERY_LONG_CODE_OF_A_REASON');
  });
});

describe('status --watch', () => {
  const watch = async (columns?: number) => {
    const stop = new AbortController();
    line.answers['GET /fleet/watch'] = (_, response) => {
      const send = events(response);
      send('fleet', { restart: true, clusters: [fleetRow('a')], goneClusterIds: [] });
      send('fleet', { clusters: [fleetRow('b')], goneClusterIds: [], counts: { inTime: 2 }, cursor: 'c1' });
      send('fleet', {
        clusters: [fleetRow('b', { verdict: 'late' })],
        goneClusterIds: ['a'],
        counts: { late: 1 },
        cursor: 'c2',
      });
      return undefined;
    };
    const { code, stdout } = await line.run(['status', '--watch', ...(columns ? [] : ['-o', 'jsonl'])], {
      stop,
      ...(columns && { columns }),
      onStdout: (soFar) => {
        if (/b +late|"verdict":"late"/.test(soFar)) stop.abort();
      },
    });
    return { code, stdout };
  };

  it('prints each cluster that changed where no terminal is', async () => {
    const { code, stdout } = await watch();
    const rows = stdout
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text));
    expect(rows.map(({ clusterId, verdict }) => [clusterId, verdict])).toEqual([
      ['a', 'inTime'],
      ['b', 'inTime'],
      ['b', 'late'],
    ]);
    expect(code).toBe(130);
  });

  it('shows the fleet again with each change on a terminal', async () => {
    const screens = (await watch(80)).stdout.split('\u001b[H\u001b[2J\u001b[3J').slice(1);
    expect(screens).toHaveLength(2);
    expect(screens[0]).toMatch(/^2 clusters: none is late\.\n.*\na .*\nb /);
    expect(screens[1]).toMatch(/^1 of 1 cluster has no good backup in time\.\n.*\nb +late/);
  });
});

describe('waiting', () => {
  const EVENTS = `GET /backups/${BACKUP}/events`;
  const START = ['backup', 'start', 'orders', '--wait'];
  beforeEach(() => {
    line.answers['POST /backups'] = () => ({ backupId: BACKUP, workFlowId: BACKUP });
  });

  it('prints the id, then a line for each change where no terminal is, and says how it ended', async () => {
    line.answers[EVENTS] = (_, response) => {
      const send = events(response);
      send('backup', backup({ state: 'Queued', queuePosition: 2 }));
      send('backup', running(10));
      send('backup', running(11));
      send('backup', backup());
      response.end('event: end\ndata: {}\n\n');
      return undefined;
    };
    const { code, stdout, stderr } = await line.run(START);
    expect([code, stdout]).toEqual([0, `${BACKUP}\n`]);
    expect(stderr.split('\n')).toEqual([
      'Queued #2',
      'Running, Full Backup, 10 %, 14 p/s, 2 min left',
      'Succeeded',
      `The backup ${BACKUP} succeeded: 1.5 MiB in 7 files, after 2 min.`,
      '',
    ]);
  });

  it('shows a bar on a terminal that fits it, and takes it away', async () => {
    line.answers[EVENTS] = (_, response) => {
      const send = events(response);
      send('backup', running(50));
      send('backup', backup({ state: 'Failed', reason: { code: 'DEADLINE', message: 'Too late.' } }));
      return undefined;
    };
    for (const columns of [40, 100]) {
      const { code, stderr } = await line.run(START, { columns });
      expect(code).toBe(1);
      const [bar = ''] = stderr.split('\r\u001b[K').filter((text) => text.includes('50 %'));
      expect(bar.length, bar).toBeLessThan(columns);
      expect(bar).toMatch(/\[#+-+\] +50 %/);
      expect(stderr).toContain(`\r\u001b[KThe backup ${BACKUP} failed: Too late.`);
    }
  });

  it('goes on where the server was away, and says so', async () => {
    let opened = 0;
    line.answers[EVENTS] = (_, response) => {
      opened += 1;
      const send = events(response);
      send('backup', opened === 1 ? running(10) : backup());
      return undefined;
    };
    let went: Promise<void> | undefined;
    const onStderr = (soFar: string) => {
      if (soFar.includes('10 %')) went ??= line.goAway();
      if (went && soFar.includes('does not answer any more'))
        void went.then(() => line.comeBack()).catch(() => undefined);
    };
    const { code, stderr } = await line.run(START, { onStderr });
    expect([code, opened], stderr).toEqual([0, 2]);
    expect(stderr).toMatch(
      /10 %.*\nTidemark does not answer any more; trying again for 2 min\.\nTidemark answers again\.\nSucceeded\n/,
    );
  });

  it('ends where an event never does, and reads no more of it than an answer may have', async () => {
    const piece = Buffer.alloc(MAX_ANSWER_BYTES / 16, 'x');
    let sent = 0;
    line.answers[EVENTS] = async (_, response) => {
      events(response)('backup', running(10));
      response.write('event: backup\ndata: ');
      const closed = once(response, 'close');
      while (!response.destroyed && sent < 4 * MAX_ANSWER_BYTES) {
        sent += piece.length;
        if (!response.write(piece)) await Promise.race([closed, once(response, 'drain')]);
      }
      return undefined;
    };
    expect(await line.run(START)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/10 %.*\nTidemark sends an event of over 16777216 bytes/),
    });
    expect(sent).toBeLessThan(2 * MAX_ANSWER_BYTES);
  });

  it('gives up on a server that stays away, with exit code 3 and the command to go on', async () => {
    line.answers[EVENTS] = (_, response) => {
      events(response)('backup', running(10));
      return undefined;
    };
    const onStderr = (soFar: string) => {
      if (soFar.endsWith('left\n')) void line.goAway();
    };
    const { code, stderr } = await line.run([...START, '--patience', '1s'], { onStderr });
    expect(code, stderr).toBe(3);
    expect(stderr).toContain(`The backup goes on without you:\n  tidemark backup watch ${BACKUP}\n`);
  });

  it('says how to go on where the token is revoked meanwhile, with exit code 4', async () => {
    let streams = 0;
    line.answers[EVENTS] = (_, response) => {
      streams += 1;
      if (streams > 1) fail(response, 401, 'The token is not known.');
      else {
        events(response)('backup', running(10));
        response.end();
      }
      return undefined;
    };
    expect(await line.run(START)).toMatchObject({
      code: 4,
      stderr: expect.stringContaining(
        `The token is not known. The backup goes on without you:\n  tidemark backup watch ${BACKUP}`,
      ),
    });
  });

  it('leaves the backup running at Ctrl-C, and says with which command to go on', async () => {
    line.answers[EVENTS] = (_, response) => {
      events(response)('backup', running(10));
      return undefined;
    };
    const stop = new AbortController();
    const onStderr = (soFar: string) => {
      if (soFar.includes('10 %')) stop.abort();
    };
    const { code, stderr } = await line.run(START, { stop, onStderr });
    expect([code, stderr]).toEqual([
      130,
      expect.stringContaining(`No longer waiting. The backup goes on without you:\n  tidemark backup watch ${BACKUP}`),
    ]);
    expect(line.asked.map(({ method }) => method)).toEqual(['POST', 'GET']);
  });

  it('waits no longer than it was told, with exit code 5', async () => {
    line.answers[EVENTS] = (_, response) => {
      events(response)('backup', running(10));
      return undefined;
    };
    expect(await line.run([...START, '--timeout', '1s'])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('Not over after 1 s.'),
    });
  });

  it('says what became of a backup that vanished meanwhile', async () => {
    let opened = 0;
    line.answers[EVENTS] = (_, response) => {
      opened += 1;
      if (opened > 1) return fail(response, 404, 'There is no such backup.');
      events(response)('backup', running(10));
      response.end('event: error\ndata: {"message":"connect again"}\n\n');
      return undefined;
    };
    expect(await line.run(START)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There is no such backup.'),
    });
  });
});

describe('what goes wrong', () => {
  it.each([
    [400, 2],
    [401, 4],
    [403, 4],
    [404, 1],
    [409, 1],
    [500, 1],
  ])('of HTTP status %i ends with exit code %i and the sentence of the API', async (status, code) => {
    line.answers[`GET /backups/${BACKUP}`] = (_, response) => fail(response, status, 'A sentence.');
    expect(await line.run(['backup', 'get', BACKUP])).toEqual({ code, stdout: '', stderr: 'A sentence.\n' });
  });

  it('for a moment is asked again, a start with the same key', async () => {
    let times = 0;
    line.answers['POST /backups'] = (_, response) => {
      times += 1;
      return times === 1 ? fail(response, 503, 'Busy.') : { backupId: BACKUP, workFlowId: BACKUP };
    };
    expect(await line.run(['backup', 'start', 'orders'])).toMatchObject({ code: 0, stdout: `${BACKUP}\n` });
    const keys = line.asked.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toEqual([expect.stringMatching(/./), keys[0]]);
  });

  it('at the way there has exit code 3, and the token is in no message', async () => {
    await line.goAway();
    const { code, stderr } = await line.run(['status']);
    expect([code, stderr]).toEqual([3, expect.stringMatching(/does not answer \(ECONNREFUSED\): does it run there\?/)]);
    expect(stderr).not.toContain('tdm_secret');
  });

  it('is told where something else than Tidemark answers', async () => {
    line.answers['GET /fleet'] = (_, response) => void response.end('<html>hello</html>');
    expect(await line.run(['status'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("look like Tidemark's API"),
    });
  });

  it('with an id is found before anything is asked: no id is another path', async () => {
    for (const id of ['..', '.', '', 'a/b', 'a?b', 'ä', 'a b', '%2e%2e']) {
      const { code, stderr } = await line.run(['backup', 'get', id]);
      expect([code, stderr]).toEqual([2, expect.stringContaining('An id has 1 to 64 letters')]);
    }
    expect(line.asked).toEqual([]);
  });
});

describe('a deletion', () => {
  const PATH = `/backups/${BACKUP}`;
  beforeEach(() => {
    line.answers[`GET ${PATH}`] = () => ({ backup: backup() });
    line.answers[`DELETE ${PATH}`] = () => ({ backup: backup({ deletion: { state: 'Trashed' } }) });
  });
  const deletions = () => line.asked.filter(({ method }) => method === 'DELETE').length;

  it('wants the name of the cluster on a terminal', async () => {
    const right = await line.run(['backup', 'delete', BACKUP], { columns: 80, typed: 'orders' });
    expect(right).toMatchObject({ code: 0, stderr: expect.stringContaining(`backup undelete ${BACKUP}`) });
    const wrong = await line.run(['backup', 'delete', BACKUP], { columns: 80, typed: 'stock' });
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('Nothing was done') });
    expect(deletions()).toBe(1);
  });

  it('wants --yes elsewhere', async () => {
    expect(await line.run(['backup', 'delete', BACKUP])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--yes'),
    });
    expect(deletions()).toBe(0);
    expect((await line.run(['backup', 'delete', BACKUP, '--yes', '--permanently'])).code).toBe(0);
    expect(line.asked.at(-1)?.path).toBe(`${PATH}?permanently=true`);
  });

  it('that would lose points of a log tells which, and is repeated as it says; --yes acknowledges nothing', async () => {
    const lost = 'Of cluster orders the points from 10:00 on can be restored only from it.';
    line.answers[`DELETE ${PATH}`] = (_, response) =>
      fail(response, 409, lost, { details: { acknowledge: 'abc', lost: '10:00/..' } });
    const { code, stderr } = await line.run(['backup', 'delete', BACKUP, '--yes', '--permanently']);
    expect([code, stderr]).toEqual([1, expect.stringContaining(lost)]);
    expect(stderr).toContain(`tidemark backup delete ${BACKUP} --permanently --acknowledge abc`);
    expect(deletions()).toBe(1);
    await line.run(['backup', 'delete', BACKUP, '--yes', '--permanently', '--acknowledge', 'abc']);
    expect(line.asked.at(-1)?.path).toBe(`${PATH}?permanently=true&acknowledge=abc`);
  });
});

describe('contexts', () => {
  const env = { TIDEMARK_URL: '', TIDEMARK_TOKEN_FILE: '' };
  const run = (...args: string[]) =>
    line.run(args, { env: Object.fromEntries(Object.entries(env).filter(([, value]) => value)) });
  const bare = (...args: string[]) => line.run(args, { env: { TIDEMARK_URL: line.url } });

  it('keep an address and a token file for their user alone, and no token', async () => {
    expect(await bare('context', 'add', 'prod', '--url', `${line.url}/api/v1/`, '--token-file', 'token')).toMatchObject(
      { code: 0 },
    );
    const file = join(line.folder, 'tidemark', 'contexts.json');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).not.toContain('tdm_secret');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      current: 'prod',
      contexts: { prod: { url: line.url, tokenFile: join(line.folder, 'token') } },
    });
    line.answers['GET /fleet'] = () => fleet([]);
    expect((await run('--context', 'prod', 'status')).code).toBe(0);
    expect(line.asked[0]?.headers.authorization).toBe('Bearer tdm_secret');
  });

  it('say what is wrong with a name, an address or their file', async () => {
    const add = (...more: string[]) => bare('context', 'add', ...more);
    expect(await add('a/b', '--url', line.url, '--token-file', 'token')).toMatchObject({ code: 2 });
    expect(await add('a', '--url', 'http://u:p@x', '--token-file', 'token')).toMatchObject({ code: 2 });
    expect(await add('a', '--url', line.url, '--token-file', 'absent')).toMatchObject({ code: 2 });
    expect(await bare('--context', 'constructor', 'status')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no context'),
    });
    expect((await bare('context', 'list')).stdout).toMatch(/^IN USE +NAME/);
  });
});
