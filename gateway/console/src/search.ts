/** Where the page of a thing is that somebody knows by its id. */
import { backups, registry, restores } from './api.ts';
import { pathOf } from './shell.ts';

/** Ids of backups and restores. */
const LONG_ID = /^[\w-]{22}$/;
const ID = /^[\w-]{1,64}$/;

/** The address of the one that has this id; where none has, of the fleet with the text as its filter. */
export async function whereIs(text: string): Promise<string> {
  const found = async (kind: string, look: () => Promise<unknown>): Promise<string> => {
    await look();
    return pathOf([kind, text]);
  };
  const looks = [
    ...(ID.test(text) ? [found('clusters', () => registry.getCluster({ id: text }))] : []),
    ...(LONG_ID.test(text)
      ? [
          found('backups', () => backups.getBackup({ id: text })),
          found('restores', () => restores.getRestore({ id: text })),
        ]
      : []),
  ];
  return Promise.any(looks).catch(() => `/?${new URLSearchParams({ text })}`);
}
