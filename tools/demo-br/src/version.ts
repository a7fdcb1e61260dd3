import type { Fields } from './log-line.ts';

/** The version that is printed unless DEMO_BR_VERSION or a script says otherwise. */
export const DEFAULT_VERSION = 'v8.5.0';

const BUILD = {
  'Git Commit Hash': 'demo-br',
  'Git Branch': 'demo-br',
  'Go Version': 'none',
  'UTC Build Time': '2024-11-25 14:13:35',
  'Race Enabled': 'false',
} as const;

/** The six lines of `br --version`, without a final line break. */
export function versionLines(version: string): string {
  return [`Release Version: ${version}`, ...Object.entries(BUILD).map(([name, value]) => `${name}: ${value}`)].join(
    '\n',
  );
}

/** The same as fields of the log's first line. */
export function versionFields(version: string): Fields {
  return [
    ['release-version', version],
    ['git-hash', BUILD['Git Commit Hash']],
    ['git-branch', BUILD['Git Branch']],
    ['go-version', BUILD['Go Version']],
    ['utc-build-time', BUILD['UTC Build Time']],
    ['race-enabled', BUILD['Race Enabled']],
  ];
}
