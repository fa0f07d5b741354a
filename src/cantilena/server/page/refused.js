// What a server of ours refuses, in words for people.

/** A refusal; `message` says what is wrong, `hint` what to do. */
export class Refused extends Error {
  constructor(message, hint = "", status = 0) {
    super(message);
    Object.assign(this, { hint, status });
  }
}

/** The refusal that an answer is; `who` refused, where the answer does not say why. */
export async function refusal(answer, who) {
  const said = await answer.json().catch(() => ({}));
  return new Refused(said.error || `${who} refused (${answer.status})`, said.hint || "", answer.status);
}
