import { type DemoCluster, demoCluster } from './demo-cluster.ts';
import type { Script } from './script.ts';

/** The demo cluster of these PD addresses; undefined if the script has no place for clusters. */
export function clusterOf(script: Script, pd: readonly string[]): DemoCluster | undefined {
  return script.clusters === undefined ? undefined : demoCluster(script.clusters, pd, script);
}
