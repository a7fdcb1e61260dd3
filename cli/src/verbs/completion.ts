import { Argument } from '@commander-js/extra-typings';
import { candidates } from '../candidates.ts';
import { examples, type Program } from '../options.ts';
import type { Run } from '../session.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** What each shell is to do: it asks the command line itself, with the words that were typed. */
const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: `_tidemark() {
  local IFS=$'\\n'
  COMPREPLY=($(tidemark complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _tidemark tidemark
`,
  zsh: `#compdef tidemark
_tidemark() {
  local -a found
  found=("\${(@f)$(tidemark complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a found
}
compdef _tidemark tidemark
`,
  fish: `complete -c tidemark -f -a '(tidemark complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
};

export function add(program: Program, run: Run): void {
  program
    .command('completion')
    .summary('what makes a shell complete commands and options')
    .description(
      'Prints what makes a shell complete commands and options of "tidemark"; write it into /etc/bash_completion.d/tidemark, a folder of $fpath as _tidemark, or ~/.config/fish/completions/tidemark.fish.',
    )
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .addHelpText('after', examples('completion bash', 'completion fish'))
    .action((shell) => run(async ({ output }) => output.text(SCRIPTS[shell])));

  // What the scripts call.
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action((words) =>
      run(async ({ output }) => {
        for (const word of candidates(program, words)) output.line(word);
      }),
    );
}
