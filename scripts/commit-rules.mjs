/** How a commit message reads; see CONTRIBUTING.md. */
const TYPES = 'build|chore|ci|docs|feat|fix|perf|refactor|revert|style|test';
const SUBJECT = new RegExp(`^(?:${TYPES})(?:\\([a-z0-9-]+\\))?!?: (\\S.*)$`);
const SUBJECT_MAX = 60;

/** Verbs that commit messages begin with; of those alone another form than the imperative is noticed. */
const VERBS = new Set(
  `accept add allow answer apply ask avoid begin bound build bump call carry change check clean clear close compare
  compile count create cut declare delete deny describe document drop enable encrypt end ensure escape expire explain
  export extract fail find fix follow forbid format gather generate give handle hash hide hold ignore implement import
  improve increase install introduce keep let limit list load lock log make mark measure merge migrate move name open
  parse pass pin prefer prepare prevent print protect provide publish raise read record reduce refactor refresh refuse
  register reject release reload remember remove rename repair replace report require resolve restore retry return
  revert revoke rewrite rotate run save say send separate serve set share shorten show shrink sign simplify skip
  sort speed split start stop store support switch take test throw tidy trim turn unify update upgrade use validate
  verify wait warn watch work wrap write`.split(/\s+/),
);

/**
 * What is wrong with a commit message; empty if nothing is.
 * @param {string} message subject, an empty line, and a body if there is one
 * @returns {string[]}
 */
export function commitFaults(message) {
  const [subject = '', second = ''] = message.trimEnd().split('\n');
  const faults = subjectFaults(subject);
  if (second !== '') faults.push('the second line must be empty');
  return faults;
}

function subjectFaults(subject) {
  const [, summary] = SUBJECT.exec(subject) ?? [];
  const faults = [];
  if (summary === undefined)
    faults.push(`the subject must be "type(scope): …" or "type: …", type one of ${TYPES}`);
  else if (!isImperative(summary.split(' ')[0]))
    faults.push('the subject must begin with a verb in the imperative');
  if (lengthOf(subject) > SUBJECT_MAX) faults.push(`the subject must have at most ${SUBJECT_MAX} characters`);
  if (subject.endsWith('.')) faults.push('the subject must not end with a period');
  return faults;
}

/** As far as the list of verbs knows: another first word passes. */
function isImperative(firstWord) {
  const word = firstWord.toLowerCase();
  return VERBS.has(word) || !stemsOf(word).some((stem) => VERBS.has(stem));
}

/** What `word` may be a form of: "stopped" of "stop", "uses" of "use", "carries" of "carry". */
function stemsOf(word) {
  const [, stem] = /^(.+?)(?:s|ed|ing)$/.exec(word) ?? [];
  if (stem === undefined) return [];
  return [stem, `${stem}e`, stem.replace(/e$/, ''), stem.replace(/(.)\1$/, '$1'), stem.replace(/ie?$/, 'y')];
}

/** In characters rather than UTF-16 units. */
function lengthOf(text) {
  return [...text].length;
}
