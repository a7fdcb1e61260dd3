import { type GivenFlags, listFlag, textFlag } from './arguments.ts';
import { invalidArgument } from './br-error.ts';

/**
 * The addresses that `--pd` names, without schemes.
 *
 * @throws BrError for a scheme that does not fit whether TLS is on (br-contract 1.2)
 */
export function pdAddresses(flags: GivenFlags): string[] {
  const isTls = textFlag(flags, 'ca') !== '';
  return listFlag(flags, 'pd', ['127.0.0.1:2379']).map((address) => plainAddress(address, isTls));
}

function plainAddress(address: string, isTls: boolean): string {
  if (address.startsWith(isTls ? 'http://' : 'https://')) {
    throw invalidArgument(
      isTls ? 'pd url starts with http while TLS enabled' : 'pd url starts with https while TLS disabled',
    );
  }
  return address.replace(/^https?:\/\//, '');
}
