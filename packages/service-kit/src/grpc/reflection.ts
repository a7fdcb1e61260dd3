/**
 * Server reflection (v1, and v1alpha for older tools), of `@grpc/reflection`, over the package definition that proto-loader
 * makes of the generated descriptors.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { handleBidiStreamingCall, MethodDefinition, Server } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer, type PackageDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { readDescriptorSet } from '@tidemark/protocol/descriptor-set';

type Handle = handleBidiStreamingCall<object, object>;

/** One version of reflection, as it is added to a server. */
interface Version {
  readonly method: MethodDefinition<object, object>;
  readonly handle: Handle;
}

const METHOD = 'ServerReflectionInfo';
const PATHS = ['v1', 'v1alpha'].map((version) => `/grpc.reflection.${version}.ServerReflection/${METHOD}`);

/**
 * Adds reflection of the services of these names. All that it knows is read with the first question: that takes a fifth of
 * the time in which a process starts, and hardly any is ever asked.
 */
export function addReflection(server: Server, served: readonly string[]): void {
  let known: ReadonlyMap<string, Version> | undefined;
  const versionAt = (path: string): Version => {
    known ??= readVersions(served);
    const version = known.get(path);
    if (version === undefined) throw new Error(`@grpc/reflection has nothing at ${path}`);
    return version;
  };
  for (const path of PATHS) {
    const method: MethodDefinition<object, object> = {
      path,
      requestStream: true,
      responseStream: true,
      requestSerialize: (request) => versionAt(path).method.requestSerialize(request),
      requestDeserialize: (bytes) => versionAt(path).method.requestDeserialize(bytes),
      responseSerialize: (response) => versionAt(path).method.responseSerialize(response),
      responseDeserialize: (bytes) => versionAt(path).method.responseDeserialize(bytes),
    };
    const handle: Handle = (call) => versionAt(path).handle(call);
    server.addService({ [METHOD]: method }, { [METHOD]: handle });
  }
}

/** What the library would add to a server, by the path of its method. */
function readVersions(served: readonly string[]): ReadonlyMap<string, Version> {
  const reflection = new ReflectionService(describe(served), { services: [...served] });
  for (const version of Object.values(reflection)) dropInherited(version);
  const versions = new Map<string, Version>();
  const taker: Pick<Server, 'addService'> = {
    addService(definition, implementation) {
      const { [METHOD]: method } = definition;
      const { [METHOD]: handle } = implementation;
      if (method !== undefined && handle !== undefined) versions.set(method.path, { method, handle: handle as Handle });
    },
  };
  reflection.addToServer(taker as Server);
  return versions;
}

/** What it finds symbols and files by are objects, which would find `__proto__` and `constructor` too. */
function dropInherited(version: object): void {
  for (const found of Object.values(version))
    if (Object.getPrototypeOf(found) === Object.prototype) Object.setPrototypeOf(found, null);
}

/**
 * The package definition of services, with the files in which they were written: proto-loader itself makes one file of all
 * those of a package, without their imports, and of these most tools can make nothing.
 */
function describe(served: readonly string[]): PackageDefinition {
  const bytes = readDescriptorSet();
  const files = filesOf(bytes);
  const definition = loadFileDescriptorSetFromBuffer(bytes);
  // Each entry of a definition brings all files, so one entry is enough.
  const [first = ''] = served;
  return { [first]: Object.assign({}, definition[first], { fileDescriptorProtos: files }) as ServiceDefinition };
}

/** Cut out of the set undecoded: `FileDescriptorSet` is a list of files, and decoding it costs a process 12 MB. */
function filesOf(set: Uint8Array): Buffer[] {
  const reader = new BinaryReader(set);
  const files: Buffer[] = [];
  while (reader.pos < reader.len) {
    reader.tag();
    files.push(Buffer.from(reader.bytes()));
  }
  return files;
}
