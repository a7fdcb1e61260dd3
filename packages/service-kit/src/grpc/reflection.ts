/**
 * Server reflection (v1, and v1alpha for older tools), of `@grpc/reflection`, over the package definition that proto-loader
 * makes of the generated descriptors.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { Server } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer, type PackageDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { readDescriptorSet } from '@tidemark/protocol/descriptor-set';

/** Adds reflection of the services of these names. */
export function addReflection(server: Server, served: readonly string[]): void {
  const reflection = new ReflectionService(describe(served), { services: [...served] });
  for (const version of Object.values(reflection)) dropInherited(version);
  reflection.addToServer(server);
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
