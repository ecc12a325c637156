// What goes wrong, in words.

/** Something to say to the user; `kind` is the name of an error of h5vidstack, or "Unreachable". */
export class Problem extends Error {
  constructor(words, kind) {
    super(words);
    this.kind = kind;
  }
}

/** Returns an answer, or throws the problem that it tells. */
export function checked(answer) {
  if (answer.facts.problem) throw new Problem(answer.facts.problem, answer.facts.kind);
  return answer;
}
