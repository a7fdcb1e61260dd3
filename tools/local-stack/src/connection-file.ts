import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { writePrivately } from './secret-files.ts';

/** What `<data>/connection.json` says to scripts about a stack that is ready (architecture 7). */
export interface Connection {
  readonly url: string;
  /** host:port of the API for gRPC. */
  readonly grpc: string;
  readonly token: string;
  readonly dataDir: string;
  readonly processes: readonly ConnectionProcess[];
}

export interface ConnectionProcess {
  readonly name: string;
  readonly pid: number;
  /** host:port where it serves, empty for a worker. */
  readonly address: string;
  /** host:port of `/livez`, `/readyz` and `/metrics`. */
  readonly operations: string;
}

/** Where a data folder's connection file is. */
export function connectionPath(dataDir: string): string {
  return join(dataDir, 'connection.json');
}

/** Says to scripts that the stack is ready. Only its owner can read the file: it holds the token. */
export function writeConnection({ url, grpc, token, dataDir, processes }: Connection): void {
  const list = processes.map(({ name, pid, address, operations }) => ({ name, pid, address, operations }));
  const text = JSON.stringify({ url, grpc, token, dataDir, processes: list }, undefined, 2);
  writePrivately(connectionPath(dataDir), `${text}\n`);
}

/** The stack is no longer ready. */
export function removeConnection(dataDir: string): void {
  rmSync(connectionPath(dataDir), { force: true });
}
