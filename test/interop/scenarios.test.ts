/** What a server of ours goes through that joins a cluster of hashicorp/raft, as short as it can be told. */
import { describe, test } from 'vitest';
import { needsGo } from './go-build.ts';
import { joins } from './joining.ts';
import { leadsGo } from './leading.ts';
import { ourNewcomer } from './newcomer.ts';
import { electsAndIsElected } from './voting.ts';

describe.runIf(needsGo())('a server of ours, among Go servers', () => {
  test('joins by snapshot and log, is promoted, and is then needed by the quorum', () => joins(ourNewcomer));
  test('is handed leadership, leads, ships a snapshot to a blank server, hands back, and is removed', () =>
    leadsGo(ourNewcomer));
  test('wins an election that only it can win, and elects another', () => electsAndIsElected(ourNewcomer));
});
