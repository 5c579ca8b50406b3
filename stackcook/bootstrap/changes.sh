# Notes what a step changes on a host, as root: what changes between steps is not the cloud's.
# note begin|end [timer]: of a step, or of a run of chef-client by the timer; both may run at once.
# If a step was killed, its notes stay, and the end of the next step completes them.
note() {
  if ! test -d $record; then return; fi
  began=$home/began${2:+-$2} before=$home/before${2:+-$2}
  if test "$1" = begin; then
    if test -e $began; then return; fi
    rm -rf $before
    mkdir -m 700 $before
    for each in $came; do list $each >$before/$each; done
    touch $began
  elif test -e $began; then
    mkdir -p -m 700 $home/came
    for each in $came; do
      list $each | comm -13 $before/$each - >>$home/came/$each
    done
    find /etc -xdev -cnewer $began >>$home/touched || : # a file may vanish meanwhile
    rm -rf $began $before
  fi
}
