// Package checkpoint keeps what an import must not forget: its plan, the mark
// up to which every row is settled, the rejects before that mark, and the
// sources that earlier imports finished. Marks and rejects move as one: after
// a crash at any moment a state directory holds an old mark with the rejects
// before it or a new mark with the rejects before that, and nothing else.
//
// It does not know what a row or a measurement is, how one is read or sent, or
// what a reject line says; it checks no counts, compares no plans and decides
// no policy. It starts no goroutines.
//
// # A state directory
//
//	lock                        held, with flock(2), as long as a run works here
//	holder.json                 who that is, in words for others
//	current                     names the import that the directory is about
//	history.ndjson              the sources of finished imports
//	imports/<id>/plan.json      what the import is; replaced when a source has grown
//	imports/<id>/mark.json      where it is; replaced with each commit
//	imports/<id>/rejects.ndjson the rejects before the mark
//	imports/<id>/sources.ndjson the counts of the sources finished before it
//	imports/<id>/report.json    what the caller wants told at the end
//
// # Crash safety
//
// Three files only grow: rejects, sources and history. Nothing in them counts
// until something replaced in one step says up to which byte it does: the mark
// for the first two and, once it says that the import is finished, for the
// history; before that, current. A commit is
//
//  1. append to the files that grow, and sync them;
//  2. write the mark beside the old one, sync it, rename it over, and sync the
//     directory.
//
// In a crash one of these states occurs:
//
//   - before or during (1): the old mark, and files that may be longer than it
//     says, with anything after that length. Opening cuts them to it.
//   - between (1) and the rename: the same, and a temporary file that the next
//     commit overwrites.
//   - after the rename, before the directory is synced: the old mark or the
//     new one. Both are true; for the new one all of (1) is on the disk.
//   - after the commit returned: the new mark.
//
// A new import is built whole in a directory of its own before current is
// replaced to name it; the former import stays where it was.
//
// A reject file that somebody has replaced, removed or made longer or shorter
// while it is open ends the journal with a *ChangedError: lines are not written
// where nobody finds them.
//
// An error of any write, sync or rename ends the journal: its later commits
// return the same error. Trying again is not safe in the same process, because
// a sync that succeeds after one that failed says nothing of the data that the
// first one was about. Opening reads what there is and goes on from that.
//
// docs/crash-safety.md says the same to users, with what is assumed of the
// file system.
package checkpoint
