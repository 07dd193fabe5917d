/** The older system's own state machine, in a cluster that a server of ours has joined. */
import { describe, test } from 'vitest';
import { needsGo } from '../interop/go-build.ts';
import { goNewcomer, ourNewcomer } from '../interop/newcomer.ts';
import { holdsTheSameMap } from '../interop/same-map.ts';

describe.runIf(needsGo()).each([ourNewcomer, goNewcomer])('$what in a cluster of the older system', (newcomer) => {
  test('holds the same map, whoever leads, and sends and takes its snapshots', () => holdsTheSameMap(newcomer));
});
