/** Volumes of a pod, as folders of this machine. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** By the name of the Secret, and the key in it. */
export type Secrets = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Makes each volume of a pod, where its main container mounts it, below `root`. Answers the folder of each, by its name. */
// biome-ignore lint/suspicious/noExplicitAny: a pod that the schemas of Kubernetes know
export function fillVolumes(spec: any, root: string, secrets: Secrets): ReadonlyMap<string, string> {
  const mounts: { name: string; mountPath: string }[] = spec.containers[0].volumeMounts;
  const folders = new Map<string, string>();
  for (const volume of spec.volumes) {
    const mounted = mounts.find(({ name }) => name === volume.name)?.mountPath ?? `/unmounted/${volume.name}`;
    const at = volume.hostPath?.path ?? join(root, mounted);
    folders.set(volume.name, at);
    mkdirSync(at, { recursive: true });
    const sources =
      volume.projected?.sources ??
      (volume.secret ? [{ secret: { ...volume.secret, name: volume.secret.secretName } }] : []);
    for (const { secret } of sources) {
      const values = secrets[secret.name];
      if (values === undefined) throw new Error(`there is no Secret ${secret.name}`);
      const items: { key: string; path: string }[] =
        secret.items ?? Object.keys(values).map((key) => ({ key, path: key }));
      for (const { key, path } of items) {
        const value = values[key];
        if (value === undefined) throw new Error(`the Secret ${secret.name} has no ${key}`);
        const file = join(at, path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, value);
        chmodSync(file, (volume.projected ?? volume.secret).defaultMode);
      }
    }
  }
  return folders;
}
