import type { LocalServerOptions } from './local-server.ts';
import { installPythonPackage, isPythonPackageInstalled } from './python-package.ts';

/** A pre-release, so the pin is needed (stack-findings 11.1). */
export const SECANTUSDB_VERSION = '0.7.0b3';

const SECANTUSDB = {
  title: 'SecantusDB',
  folder: `secantusdb-${SECANTUSDB_VERSION}`,
  requirements: [`secantusdb==${SECANTUSDB_VERSION}`],
  size: '145 MB',
};

/** Whether SecantusDB is already installed for this checkout. */
export function isSecantusdbInstalled(): boolean {
  return isPythonPackageInstalled(SECANTUSDB);
}

/**
 * Installs SecantusDB into a virtual environment that all stacks of this checkout share.
 *
 * @returns its Python, which runs it as `-c "from secantus.cli import main; main()"`
 * @throws a sentence that says what is missing
 */
export function installSecantusdb(options: LocalServerOptions): Promise<string> {
  return installPythonPackage(SECANTUSDB, options);
}
