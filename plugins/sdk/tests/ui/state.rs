use wasmill_sdk::State;

#[derive(State)]
#[state(version = 0)] //~ versions begin at 1
pub struct Zero;

#[derive(State)]
#[state(vers = 2)] //~ known here: `version = 2`, `from = OlderState`
pub struct Misspelt;

#[derive(State)]
pub struct Borrowing<'a>(&'a str); //~ a state owns what it holds
