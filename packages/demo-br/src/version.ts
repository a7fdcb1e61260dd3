/** The version that is printed unless DEMO_BR_VERSION or a script says otherwise. */
export const DEFAULT_VERSION = 'v8.5.0';

/** The six lines of `br --version`, without a final line break. */
export function versionLines(version: string): string {
  return [
    `Release Version: ${version}`,
    'Git Commit Hash: demo-br',
    'Git Branch: demo-br',
    'Go Version: none',
    'UTC Build Time: 2024-11-25 14:13:35',
    'Race Enabled: false',
  ].join('\n');
}

/** Whether BR of this version keeps a checkpoint.lock: from 6.5.1 on (br-contract 5.4). */
export function versionHasLock(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = (version.match(/\d+/g) ?? []).map(Number);
  return major > 6 || (major === 6 && (minor > 5 || (minor === 5 && patch >= 1)));
}
