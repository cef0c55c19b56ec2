-- What the clients were told stays: the release before reads these members, too.
select 1;
