import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { api } from './api.ts';
import { dependencies } from './dependencies.ts';
import { execution } from './execution.ts';
import { fleet } from './fleet.ts';

/** All dashboards, by the names of their files. */
export function dashboards(): Readonly<Record<string, Dashboard>> {
  return {
    'fleet.json': fleet().build(),
    'execution.json': execution().build(),
    'api.json': api().build(),
    'dependencies.json': dependencies().build(),
  };
}
