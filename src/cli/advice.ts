/**
 * What to do next, for errors whose own message cannot know it: they come from rooms that serve more than this
 * command line. The full list is in docs/errors.md.
 */
const ADVICE: Readonly<Record<string, string>> = {
  'store-locked': 'Another process has this data directory open: stop that node first ("hotledger status" shows it).',
  'store-missing': 'There is no ledger in this directory yet: "hotledger start" makes it.',
  'store-corrupt':
    'Move the directory away and let the node sync from its peers; a validator then follows until its key is replaced.',
  'store-disk-full': 'Free some space and start again; nothing that was acknowledged is lost.',
  'chain-mismatch': 'The data directory belongs to another network: choose the genesis file it was started with.',
  'key-mismatch': 'The data directory belongs to another key: choose the key it was started with.',
  'layout-newer': 'A newer version of hotledger wrote this directory: use that version.',
  'layout-older':
    'docs/operations/upgrade.md has the whole procedure; "hotledger start --migrate" does it at the start.',
  'migration-missing': 'Use the version of hotledger that wrote this directory, or a later one.',
  'migration-edited': 'Use a released version of hotledger: nothing was changed.',
  'migration-no-space': 'Free some space, or leave the backup out with --no-backup.',
  'migration-check-failed': 'Put the backup back that was made before, and report it: docs/operations/upgrade.md.',
  'listen-failed': 'Choose another address with --listen, or stop what uses this one.',
  'no-quorum': 'Too few validators are up to agree; nothing is lost. Try again when they are back.',
  'not-leader': 'Only the leader does this: run the command on its machine ("hotledger raft status" names it).',
  'leadership-lost': 'It may be done or not: look at "hotledger raft status", and try again.',
  transferring: 'Leadership is being handed over: try again in a moment, at the next leader.',
  'transfer-failed': 'The other server did not take over; look after it, or name another one.',
  'not-caught-up': 'The server follows without a vote: look after it, and run "hotledger raft add-voter" again.',
  'raft-configuration-pending': 'Servers change one at a time: try again in a moment.',
  'raft-unknown-server': '"hotledger raft status" lists the servers of the cluster.',
  'not-a-raft-node': 'Its configuration has no section "raft"; docs/configuration.md describes it.',
  'raft-foreign-history':
    'Two clusters are never merged: move the data directory away and join with an empty one ("hotledger raft join").',
  'raft-foreign-log': 'Choose the data directory that belongs to this history, or an empty one.',
  'raft-log-exists': 'The server is of a cluster already; a cluster is begun, or joined, with an empty data directory.',
  'raft-log-inconsistent': 'Move the directory away and let the leader send everything again.',
  'raft-list-signer': 'Name the operator in the configuration (raft.operators), or sign with the key that is named.',
  'raft-snapshot-no-space': 'Free some space: the leader sends the snapshot again.',
  busy: 'The validator has more than it can queue; try again after the time it states.',
  'signature-required': 'Sign the event: "hotledger submit" does it with --key.',
  superseded: 'The ledger holds a newer event of this node; submit again with a higher --seq.',
  'too-old': 'Ask another peer with --from, or allow an older answer with --max-age.',
  'age-unknown': 'Too few validators stated their head in time; ask again, or leave --max-age out.',
  'state-root-mismatch':
    'What is on disk is not what was agreed: keep the directory for inspection and sync a new one.',
};

export function adviceFor(code: string): string | undefined {
  return ADVICE[code];
}
