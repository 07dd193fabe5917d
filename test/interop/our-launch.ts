/** The command line of a server of ours, with the flags of the Go server. */
import { join } from 'node:path';
import { flagsOf, type PeerOptions } from './go-launch.ts';
import type { Launch } from './peer.ts';

const PROGRAM = join(import.meta.dirname, 'raft-process.ts');

/** @param listed the operator's list of the cluster, looked at with each start */
export function ourLaunch(
  options: PeerOptions,
  listed: () => readonly { readonly id: string; readonly address: string }[],
): Launch {
  return (place, flags) => [
    process.execPath,
    PROGRAM,
    ...flagsOf(place, options),
    `-cluster=${listed()
      .map(({ id, address }) => `${id}=${address}`)
      .join(',')}`,
    ...flags,
  ];
}
