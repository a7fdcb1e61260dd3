import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Client, credentials, Server, ServerCredentials, status } from '@grpc/grpc-js';
import {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from '@tidemark/protocol/grpc/grpc/reflection/v1/reflection';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endOnDrain } from './end-on-drain.ts';
import { addReflection } from './reflection.ts';

type Asked = ServerReflectionRequest['messageRequest'];

describe('reflection', () => {
  const draining = new AbortController();
  let server: Server;
  let client: Client;

  beforeEach(async () => {
    server = new Server({ interceptors: [endOnDrain(draining.signal, '/grpc.')] });
    addReflection(server, ['tidemark.backup.v1.ExecutorService', 'grpc.health.v1.Health']);
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  });
  afterEach(() => {
    client.close();
    server.forceShutdown();
  });

  const open = (version: string) =>
    client.makeBidiStreamRequest(
      `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      (request: ServerReflectionRequest) => Buffer.from(ServerReflectionRequest.encode(request).finish()),
      (bytes: Buffer) => ServerReflectionResponse.decode(bytes),
    );
  const ask = async (version: string, ...asked: Asked[]) => {
    const stream = open(version);
    for (const messageRequest of asked) stream.write({ host: 'here', messageRequest });
    stream.end();
    const answers: ServerReflectionResponse['messageResponse'][] = [];
    for await (const { messageResponse } of stream as AsyncIterable<ServerReflectionResponse>)
      answers.push(messageResponse);
    return answers;
  };
  const symbol = (value: string): Asked => ({ $case: 'fileContainingSymbol', value });

  it.each(['v1', 'v1alpha'])('%s lists what is served, and nothing else', async (version) => {
    const [answer] = await ask(version, { $case: 'listServices', value: '' });
    expect(answer?.$case === 'listServicesResponse' && answer.value.service.map(({ name }) => name).sort()).toEqual([
      'grpc.health.v1.Health',
      'tidemark.backup.v1.ExecutorService',
    ]);
  });

  it('describes services, methods and messages with every file that they need', async () => {
    const answers = await ask(
      'v1',
      symbol('tidemark.backup.v1.ExecutorService'),
      symbol('tidemark.backup.v1.ExecutorService.ClaimTask'),
      { $case: 'fileByFilename', value: 'google/protobuf/timestamp.proto' },
    );
    const [service] = answers.map((answer) =>
      answer?.$case === 'fileDescriptorResponse'
        ? answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
        : [],
    );
    expect(answers.map((answer) => answer?.$case)).toEqual(Array(3).fill('fileDescriptorResponse'));
    expect(service?.[0]?.service[0]?.name).toBe('ExecutorService');
    const names = new Set(service?.map(({ name }) => name));
    for (const { dependency } of service ?? []) for (const name of dependency) expect(names).toContain(name);
  });

  it('refuses what is not known here, and a request for nothing', async () => {
    const unknown = [symbol('no.such.Thing'), { $case: 'fileByFilename', value: 'no.proto' }] as const;
    for (const answer of await ask('v1', ...unknown, { $case: 'allExtensionNumbersOfType', value: 'x' }, undefined))
      expect(answer?.$case).toBe('errorResponse');
  });

  it.each(['v1', 'v1alpha'])('%s knows nothing that every object has', async (version) => {
    const names = ['__proto__', 'constructor', 'hasOwnProperty'];
    const asked = names.flatMap((value): Asked[] => [
      symbol(value),
      { $case: 'fileByFilename', value },
      { $case: 'allExtensionNumbersOfType', value },
    ]);
    const answers = await ask(version, ...asked);
    expect(answers.map((answer) => answer?.$case === 'errorResponse' && answer.value.errorCode)).toEqual(
      asked.map(() => status.NOT_FOUND),
    );
  });

  it('ends an open stream when the server is told to stop', async () => {
    const stream = open('v1');
    stream.write({ host: '', messageRequest: { $case: 'listServices', value: '' } });
    await new Promise((resolve) => stream.once('data', resolve));
    const ended = new Promise((resolve) => stream.resume().once('error', resolve));
    draining.abort();
    expect(await ended).toMatchObject({ code: status.UNAVAILABLE });
  });
});
