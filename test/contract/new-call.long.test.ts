/**
 * A new call is written in four files: its method with its options, its handler, the handler's line in its service, and its
 * route of REST. Everything else, who may make it over every protocol among it, follows from these, and no test asks for more.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const SOURCES = ['proto', 'scripts', 'packages', 'services', 'gateway', 'tools', 'cli', 'test'];
const COPIED = [...SOURCES, 'package.json', 'tsconfig.json', 'vitest.config.ts'];

/** What a developer writes: in a file that is there, behind a line of it; in a new file, the whole. */
const PLACES: readonly { readonly file: string; readonly behind?: string; readonly text: string }[] = [
  {
    file: 'proto/tidemark/backup/v1/registry_service.proto',
    behind: 'service RegistryService {\n',
    text: `  // Greets a cluster.
  rpc GreetCluster(GreetClusterRequest) returns (GreetClusterResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (tidemark.options.v1.call) = {
      role: ROLE_OPERATOR
      subject: SUBJECT_CLUSTER
      subject_field: "cluster_id"
    };
  }
`,
  },
  {
    file: 'proto/tidemark/backup/v1/registry_service.proto',
    text: `
// In whose name.
message GreetClusterRequest {
  string cluster_id = 1 [(tidemark.options.v1.rules).id = true];
  string name = 2 [(tidemark.options.v1.rules) = {
    printable: true
    max_length: 8
  }];
}

// What was said.
message GreetClusterResponse {
  string greeting = 1;
}
`,
  },
  {
    file: 'services/backup-service/src/rpc/greet-cluster.ts',
    text: `import type {
  GreetClusterRequest,
  GreetClusterResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';

export const greetCluster = async (
  { clusterId, name }: GreetClusterRequest,
  { caller }: CallContext,
): Promise<GreetClusterResponse> => ({ greeting: \`\${name} greets \${clusterId} with \${caller}\` });
`,
  },
  {
    file: 'services/backup-service/src/rpc/registry-service.ts',
    behind: "import { getStorageCheck } from './get-storage-check.ts';\n",
    text: "import { greetCluster } from './greet-cluster.ts';\n",
  },
  {
    file: 'services/backup-service/src/rpc/registry-service.ts',
    behind: '(RegistryServiceService, {\n',
    text: '    greetCluster,\n',
  },
  {
    file: 'gateway/src/rest/clusters.ts',
    behind: "import type { FastifyInstance } from 'fastify';\n",
    text: "import { z } from 'zod';\n",
  },
  {
    file: 'gateway/src/rest/clusters.ts',
    behind: "  const CLUSTER = '/clusters/:clusterId';\n",
    text: `
  route(app, dependencies, {
    method: 'GET',
    path: '/clusters/:clusterId/greeting',
    operation: {
      id: 'greetCluster',
      tag: 'Clusters',
      call: 'greetCluster',
      summary: 'Greets a cluster',
      params: operations.getCluster.params,
      query: z.object({ name: z.string().optional() }),
      answer: { data: z.object({ greeting: z.string() }), example: { greeting: 'Good morning.' } },
    },
    toRequest: ({ params, query }) => ({ clusterId: params.clusterId, ...query }),
    toView: ({ greeting }) => ({ data: { greeting } }),
  });
`,
  },
];

const REST_TYPES = 'packages/protocol/src/gen/rest.d.ts';

const GENERATE = `
import { generateCode } from './scripts/workspace.mjs';
const { ok, output } = generateCode();
if (!ok) throw new Error(output);
`;

const START = `
import { toConfig as gatewayConfig } from './gateway/src/config.ts';
import { startGateway } from './gateway/src/service.ts';
import { toConfig } from './services/backup-service/src/config.ts';
import { startBackupService } from './services/backup-service/src/service.ts';

const any = { TIDEMARK_PORT: '0', TIDEMARK_OPERATIONS_PORT: '0' };
await using service = await startBackupService(toConfig({ ...process.env, ...any }));
const backup = { TIDEMARK_BACKUP_SERVICE: \`127.0.0.1:\${service.port}\` };
await using gateway = await startGateway(
  gatewayConfig({ ...process.env, ...any, ...backup, TIDEMARK_GRPC_PORT: '0' }),
);
console.log(JSON.stringify({ port: gateway.port, grpcPort: gateway.grpcPort }));
for await (const _ of process.stdin);
`;

const TOKENS = { operator: ['operator', ['*']], viewer: ['viewer', ['*']], other: ['operator', ['another']] } as const;

interface Said {
  /** "ok", or the number of the gRPC status. */
  readonly code: 'ok' | number;
  readonly text: string;
}

const run = promisify(execFile);

describe('a call that is written in four files', () => {
  let folder: string;
  /** What the compiler says of the copy. */
  let misfits: Promise<string>;
  let started: ChildProcess;
  let ports: { readonly port: number; readonly grpcPort: number };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-new-call-'));
    for (const name of COPIED)
      cpSync(join(ROOT, name), join(folder, name), {
        recursive: true,
        verbatimSymlinks: true,
        filter: (path) => basename(path) !== '.tidemark',
      });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    for (const { file, behind, text } of PLACES) plant(join(folder, file), behind, text);
    await run(process.execPath, ['--input-type=module', '-e', GENERATE], { cwd: folder });
    // The command line's types are made from the OpenAPI document, which this test leaves as it is.
    cpSync(join(ROOT, REST_TYPES), join(folder, REST_TYPES));
    misfits = run(join(ROOT, 'node_modules', '.bin', 'tsc'), ['--noEmit', '-p', '.'], { cwd: folder }).then(
      () => '',
      ({ stdout }: { readonly stdout: string }) => stdout,
    );
    const tokens = Object.entries(TOKENS).map(([word, [role, clusters]]) => ({
      id: word,
      name: word,
      sha256: createHash('sha256').update(word).digest('hex'),
      role,
      clusters,
    }));
    writeFileSync(join(folder, 'tokens.json'), JSON.stringify({ tokens }));
    writeFileSync(join(folder, 'start.ts'), START);
    started = spawn(process.execPath, [join(folder, 'start.ts')], {
      cwd: folder,
      env: {
        ...process.env,
        TIDEMARK_LOG_LEVEL: 'silent',
        TIDEMARK_MONGODB_URL: inject('mongodbUrl'),
        TIDEMARK_MONGODB_DATABASE: `test-${randomUUID()}`,
        TIDEMARK_AMQP_URL: inject('amqpUrl'),
        TIDEMARK_AMQP_NAMESPACE: `test-${randomUUID()}`,
        TIDEMARK_TOKENS_FILE: join(folder, 'tokens.json'),
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: started.stdout as NodeJS.ReadableStream });
    for await (const line of lines) {
      ports = JSON.parse(line);
      break;
    }
    await vi.waitFor(async () => expect((await overRest('operator', 'c', 'me')).code).toBe('ok'), { timeout: 20_000 });
  }, 180_000);

  afterAll(async () => {
    if (started) {
      const ended = new Promise((resolve) => started.once('close', resolve));
      started.stdin?.end();
      await ended;
    }
    await misfits;
    rmSync(folder, { recursive: true, force: true });
  });

  const overRest = async (token: string, clusterId: string, name: string): Promise<Said> => {
    const query = new URLSearchParams({ name });
    const response = await fetch(`http://127.0.0.1:${ports.port}/api/v1/clusters/${clusterId}/greeting?${query}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const { message, data } = (await response.json()) as { message: string; data: { greeting?: string } };
    return { code: CODES[response.status] ?? -1, text: data.greeting ?? message };
  };

  const overConnect = async (token: string, clusterId: string, name: string): Promise<Said> => {
    const response = await fetch(`http://127.0.0.1:${ports.port}/tidemark.backup.v1.RegistryService/GreetCluster`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ clusterId, name }),
    });
    const { message = '', greeting = message } = (await response.json()) as { message?: string; greeting?: string };
    return { code: CODES[response.status] ?? -1, text: greeting };
  };

  const overGrpc = (token: string, clusterId: string, name: string): Promise<Said> =>
    new Promise((resolve) => {
      const client = new Client(`127.0.0.1:${ports.grpcPort}`, credentials.createInsecure());
      const metadata = new Metadata();
      metadata.set('authorization', `Bearer ${token}`);
      client.makeUnaryRequest(
        '/tidemark.backup.v1.RegistryService/GreetCluster',
        (fields: readonly string[]) => Buffer.concat(fields.map((text, index) => field(index + 1, text))),
        (bytes) => bytes.subarray(2).toString(),
        [clusterId, name],
        metadata,
        (error, greeting) => {
          client.close();
          resolve(error ? { code: error.code, text: error.details } : { code: 'ok', text: greeting ?? '' });
        },
      );
    });

  const everywhere = async (token: string, clusterId: string, name: string) => [
    await overRest(token, clusterId, name),
    await overConnect(token, clusterId, name),
    await overGrpc(token, clusterId, name),
  ];

  it('leaves every other file as it is, tests among them: all types fit', async () => {
    expect(new Set(PLACES.map(({ file }) => file)).size).toBe(4);
    expect(await misfits).toBe('');
  }, 300_000);

  it('is answered alike over REST, Connect and gRPC', async () => {
    const greeted = { code: 'ok', text: 'me greets orders with operator' };
    expect(await everywhere('operator', 'orders', 'me')).toEqual([greeted, greeted, greeted]);
  });

  it('is for the role that its method names', async () => {
    const refused = {
      code: 7,
      text: 'This needs the role operator; the token "viewer" has the role viewer.',
    };
    expect(await everywhere('viewer', 'orders', 'me')).toEqual([refused, refused, refused]);
  });

  it('shows nothing of a cluster that the caller does not see', async () => {
    const unknown = { code: 5, text: 'There is no cluster orders.' };
    expect(await everywhere('other', 'orders', 'me')).toEqual([unknown, unknown, unknown]);
  });

  it('is refused what breaks a rule of its fields', async () => {
    const bad = { code: 3, text: 'name: must be 1 to 8 printable characters without blanks' };
    expect(await everywhere('operator', 'orders', 'far too long')).toEqual([bad, bad, bad]);
  });
});

/** gRPC's numbers of the HTTP statuses that are expected here. */
const CODES: Readonly<Record<number, 'ok' | number>> = { 200: 'ok', 400: 3, 403: 7, 404: 5 };

function plant(file: string, behind: string | undefined, text: string): void {
  const old = behind === undefined && !file.endsWith('.proto') ? '' : readFileSync(file, 'utf8');
  const at = behind === undefined ? old.length : old.indexOf(behind) + behind.length;
  if (behind !== undefined && at < behind.length) throw new Error(`${file} has no ${behind}`);
  writeFileSync(file, old.slice(0, at) + text + old.slice(at));
}

/** A text in a protobuf message, shorter than 128 bytes. */
function field(number: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}
