import type { Storage } from './storage.ts';

/** A storage that swallows everything (`noop://`, br-contract 2.1). */
export function noopStorage(): Storage {
  return {
    kind: 'noop',
    uri: 'noop:///',
    path: undefined,
    writeWhole: async () => undefined,
    read: async () => undefined,
    exists: async () => false,
    list: async () => [],
    remove: async () => undefined,
    makeFolder: async () => undefined,
  };
}
